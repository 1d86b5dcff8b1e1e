//! How long what a run leaves behind is kept: `retention:` of a workflow, `[retention]` of the node.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Duration, text_form};

/// How long ended runs of one workflow are kept. Whatever is reached first counts; the newest run of a workflow that has
/// ended always stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "retention: a mapping with `age`, `runs`, `bytes`, `logs`, `artifacts`"
)]
#[schemars(rename = "Retention")]
pub struct Retention {
    /// How long a run is kept after its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<Duration>,
    /// How many ended runs are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub runs: Option<u64>,
    /// How many bytes ended runs may take: journal, logs and artifacts. An artifact of several runs counts for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ByteSize>,
    /// How long the logs of a run are kept after its end, where that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Duration>,
    /// How long the artifacts of a run are kept after its end, where that is shorter. The run still says which they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Duration>,
}

/// Shorter is no keeping at all: whoever waits for the run must have the time to see its end.
const SHORTEST: Duration = Duration::from_millis(60_000);

impl Retention {
    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for (key, time) in [("age", self.age), ("logs", self.logs), ("artifacts", self.artifacts)] {
            problems.extend(time.filter(|time| *time < SHORTEST).map(|_| (key, too_short())));
        }
        if self.runs == Some(0) {
            problems.push(("runs", "at least 1: the newest run that has ended always stays".to_owned()));
        }
        if self.bytes.is_some_and(|bytes| bytes.as_bytes() == 0) {
            problems.push(("bytes", "at least 1B; the newest run that has ended stays in any case".to_owned()));
        }
        problems
    }

    /// Whether time alone can bring something to go.
    #[must_use]
    pub fn has_ages(&self) -> bool {
        [self.age, self.logs, self.artifacts].iter().any(Option::is_some)
    }

    /// This one, and what it leaves open as `other` has it.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            age: self.age.or(other.age),
            runs: self.runs.or(other.runs),
            bytes: self.bytes.or(other.bytes),
            logs: self.logs.or(other.logs),
            artifacts: self.artifacts.or(other.artifacts),
        }
    }
}

fn too_short() -> String {
    format!("at least {SHORTEST}: whoever waits for a run needs the time to see its end")
}

/// What the box keeps, and what keeps it going when its disk is full.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a [retention] table")]
#[schemars(rename = "NodeRetention")]
pub struct RetentionConfig {
    /// How long a run of a workflow that says nothing of it is kept after its end. Without it there is no such limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<Duration>,
    /// How many ended runs of each workflow that says nothing of it are kept. Without it there is no such limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub runs: Option<u64>,
    /// What the database and the artifacts may take together: a size, or a part of the file system as `25%`. The runs that
    /// ended longest ago go first, whatever workflow they are of.
    pub bytes: Share,
    /// How long the logs of a run are kept after its end, where that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Duration>,
    /// How long the artifacts of a run are kept after its end, where that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Duration>,
    /// How long it is remembered which files and messages had their run, counted from then. One that comes again later
    /// starts another. A file that still lies in its folder is never forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Duration>,
    /// How long the decisions of triggers that started nothing are kept, and pauses and definitions that newer ones replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Duration>,
    /// Bytes of the journal that wait for a reader that does not come on; beyond that runs go all the same and the reader is
    /// told what it missed.
    pub backlog: ByteSize,
    /// A file of this size beside the database, given up when the disk is full so that there is room to remove what can go.
    /// `0B` is none.
    pub reserve: ByteSize,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            age: None,
            runs: None,
            bytes: Share::Percent(25),
            logs: None,
            artifacts: None,
            ledger: None,
            decisions: None,
            backlog: ByteSize::from_mib(64),
            reserve: ByteSize::from_mib(16),
        }
    }
}

impl RetentionConfig {
    /// Whether time alone can bring something to go.
    #[must_use]
    pub fn has_ages(&self) -> bool {
        self.of_workflows().has_ages() || self.ledger.is_some() || self.decisions.is_some()
    }

    /// What holds for workflows that say nothing themselves.
    #[must_use]
    pub const fn of_workflows(&self) -> Retention {
        Retention { age: self.age, runs: self.runs, bytes: None, logs: self.logs, artifacts: self.artifacts }
    }

    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = self.of_workflows().problems();
        for (key, time) in [("ledger", self.ledger), ("decisions", self.decisions)] {
            problems.extend(time.filter(|time| *time < SHORTEST).map(|_| (key, too_short())));
        }
        if self.bytes == Share::Size(ByteSize::from_bytes(0)) {
            problems.push(("bytes", "nothing could be kept; write a size, or a part of the disk: \"25%\"".to_owned()));
        }
        problems
    }
}

/// A size, or a part of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many bytes.
    Size(ByteSize),
    /// So many hundredths of the file system, 1 to 100.
    Percent(u8),
}

/// Why a text is no [`Share`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a size (2GiB) nor a part of the disk (25%)")]
pub struct ShareError(String);

impl Share {
    /// In bytes, on a file system of this size.
    #[must_use]
    pub fn of(self, file_system: u64) -> u64 {
        match self {
            Self::Size(size) => size.as_bytes(),
            Self::Percent(part) => (u128::from(file_system) * u128::from(part) / 100).try_into().unwrap_or(u64::MAX),
        }
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let refuse = || ShareError(text.chars().take(80).collect());
        match text.strip_suffix('%') {
            Some(part) => match part.parse() {
                Ok(part @ 1..=100) => Ok(Self::Percent(part)),
                _ => Err(refuse()),
            },
            None => text.parse().map(Self::Size).map_err(|_| refuse()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => size.fmt(f),
            Self::Percent(part) => write!(f, "{part}%"),
        }
    }
}

text_form!(
    Share,
    "Share",
    "a size such as 2GiB, or a part of the disk such as 25%",
    r"^([1-9][0-9]?%|100%|[0-9]+ ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB))$",
    "A size (`2GiB`), or a part of the file system (`25%`)."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_size_or_a_part() {
        assert_eq!("25%".parse(), Ok(Share::Percent(25)));
        assert_eq!("2GiB".parse(), Ok(Share::Size(ByteSize::from_mib(2048))));
        for bad in ["0%", "101%", "%", "25 %", "-1%", "a lot", ""] {
            assert!(bad.parse::<Share>().is_err(), "{bad}");
        }
        assert_eq!(Share::Percent(25).of(u64::MAX), u64::MAX / 4);
    }

    #[test]
    fn keeping_nothing_is_refused() {
        let nothing = Retention {
            age: Some(Duration::from_millis(0)),
            runs: Some(0),
            bytes: Some(ByteSize::from_bytes(0)),
            ..Retention::default()
        };
        let keys: Vec<_> = nothing.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["age", "runs", "bytes"]);
    }
}
