//! What triggers decided that started no run.

use std::{borrow::Cow, fmt};

/// What can be decided, each in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionKind {
    /// It can not start a run.
    Blocked,
    /// It started one before.
    Deduped,
    /// The trigger leaves it out.
    Excluded,
    /// Its time passed while nobody looked.
    Misfired,
    /// A run has it, and it could not be taken out of its folder.
    NotClaimed,
    /// It still changes.
    NotSettled,
    /// A run of the trigger was under way.
    Overlapped,
    /// The trigger is paused.
    Paused,
    /// It waits for a run of the trigger to end.
    Queued,
    /// There was no room, and the workflow does not wait for it.
    Skipped,
    /// It was taken out of its folder under another name; the detail is the whole one.
    Taken,
}

impl DecisionKind {
    const ALL: [Self; 11] = [
        Self::Blocked,
        Self::Deduped,
        Self::Excluded,
        Self::Misfired,
        Self::NotClaimed,
        Self::NotSettled,
        Self::Overlapped,
        Self::Paused,
        Self::Queued,
        Self::Skipped,
        Self::Taken,
    ];

    /// The word on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Deduped => "deduped",
            Self::Excluded => "excluded",
            Self::Misfired => "misfired",
            Self::NotClaimed => "not-claimed",
            Self::NotSettled => "not-settled",
            Self::Overlapped => "overlapped",
            Self::Paused => "paused",
            Self::Queued => "queued",
            Self::Skipped => "skipped",
            Self::Taken => "taken",
        }
    }
}

impl fmt::Display for DecisionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What was decided, as it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// One of those that this version knows.
    Known(DecisionKind),
    /// A word of another version.
    Other(String),
}

impl Decided {
    /// The word on disk.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Known(kind) => kind.name(),
            Self::Other(word) => word,
        }
    }
}

impl From<DecisionKind> for Decided {
    fn from(kind: DecisionKind) -> Self {
        Self::Known(kind)
    }
}

impl From<String> for Decided {
    fn from(word: String) -> Self {
        let known = DecisionKind::ALL.into_iter().find(|known| known.name() == word);
        known.map_or(Self::Other(word), Self::Known)
    }
}

impl PartialEq<DecisionKind> for Decided {
    fn eq(&self, kind: &DecisionKind) -> bool {
        matches!(self, Self::Known(known) if known == kind)
    }
}

/// What a decision is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionSubject {
    /// A time of a schedule, milliseconds since 1970.
    Time(i64),
    /// A file's path below the watched folder, a topic, a hook, a dataset, a run.
    Named(String),
}

impl DecisionSubject {
    /// The text on disk: `at:MILLISECONDS` for a time.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Time(ms) => format!("at:{ms}").into(),
            Self::Named(name) => name.into(),
        }
    }
}

impl From<String> for DecisionSubject {
    fn from(text: String) -> Self {
        let time = text.strip_prefix("at:").and_then(|ms| ms.parse().ok()).map(Self::Time);
        // Only what reads as it was written: there are files with strange names.
        time.filter(|time| time.text() == text).unwrap_or(Self::Named(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_on_disk_are_read_and_written_as_they_stand() {
        const STORED: [&str; 11] = [
            "blocked",
            "deduped",
            "excluded",
            "misfired",
            "not-claimed",
            "not-settled",
            "overlapped",
            "paused",
            "queued",
            "skipped",
            "taken",
        ];
        for (word, known) in STORED.into_iter().zip(DecisionKind::ALL) {
            assert_eq!(Decided::from(word.to_owned()), known);
            assert_eq!((Decided::from(known).name(), known.to_string().as_str()), (word, word));
        }
        let later = Decided::from("postponed".to_owned());
        assert_eq!(later, Decided::Other("postponed".to_owned()));
        assert_eq!(later.name(), "postponed");
    }

    #[test]
    fn only_times_are_read_as_times() {
        for (text, time) in [
            ("at:1780000000123", Some(1_780_000_000_123)),
            ("at:-5", Some(-5)),
            ("at:+5", None),
            ("at:05", None),
            ("at:99999999999999999999", None),
            ("at:", None),
            ("in/at:5", None),
            ("/hooks/push", None),
            ("", None),
        ] {
            let subject = DecisionSubject::from(text.to_owned());
            assert_eq!(subject, time.map_or_else(|| DecisionSubject::Named(text.to_owned()), DecisionSubject::Time));
            assert_eq!(subject.text(), text);
        }
    }
}
