//! How a new version takes the place of the one in service: as people write it, checked.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trackside_codes::code;

use crate::{
    spec_error::{SpecError, problem_at},
    tree::read_yaml,
    units::Duration,
};

/// Most gates of a rollout, and most steps of its share.
const MOST_GATES: usize = 8;
const MOST_SHARES: usize = 20;

/// How the candidate gets its evidence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutMode {
    /// Beside the version in service, on the same requests; its answers are compared and thrown away.
    Shadow,
    /// It answers a share of the requests, which grows by steps.
    #[default]
    Canary,
    /// It answers one share from the beginning to the end.
    Ab,
    /// The version in service is observed first; then the candidate answers everything.
    BlueGreen,
}

impl RolloutMode {
    /// As people write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Ab => "ab",
            Self::BlueGreen => "blue-green",
        }
    }
}

impl fmt::Display for RolloutMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RolloutMode {
    type Err = RolloutError;

    fn from_str(text: &str) -> Result<Self, RolloutError> {
        [Self::Shadow, Self::Canary, Self::Ab, Self::BlueGreen]
            .into_iter()
            .find(|mode| mode.name() == text)
            .ok_or_else(|| RolloutError::of(text, "a mode", "it is shadow, canary, ab or blue-green"))
    }
}

/// A text that is no part of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: {reason}")]
pub struct RolloutError {
    text: String,
    what: &'static str,
    reason: String,
}

impl RolloutError {
    fn of(text: &str, what: &'static str, reason: impl Into<String>) -> Self {
        Self { text: text.chars().take(80).collect(), what, reason: reason.into() }
    }
}

/// What must hold for the candidate to take over, and what takes it back when it is broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gate {
    /// `errors=+4%`, `errors=x1.5`, `errors=x1.5+2%`: requests that fail, at most so many more than of the version in service.
    Errors {
        /// Times its share; 1 or more.
        ratio: f64,
        /// Plus this share of requests.
        extra: f64,
    },
    /// `p95=x1.2`: a quantile of the time of an answer, at most so many times that of the version in service.
    Latency {
        /// Which quantile, between 0 and 1.
        quantile: f64,
        /// Times.
        times: f64,
    },
    /// `agreement=95%`: of a shadow's answers, more than this share is the same.
    Agreement {
        /// The share.
        least: f64,
    },
    /// `accuracy=-3%`: of answers whose truth was told, less than this share more is wrong than of the version in service.
    Accuracy {
        /// The share.
        margin: f64,
    },
    /// `accuracy=90%`: of the candidate's answers whose truth was told, more than this share is right.
    AccuracyLeast {
        /// The share.
        least: f64,
    },
    /// `scores=0.1`: the distribution of what it answers has moved by a population stability index of less than this.
    Scores {
        /// In nats.
        psi: f64,
    },
}

impl Gate {
    /// What is gated; there is one gate of each.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Errors { .. } => "errors".to_owned(),
            Self::Latency { quantile, .. } => format!("p{}", trimmed(quantile * 100.0)),
            Self::Agreement { .. } => "agreement".to_owned(),
            Self::Accuracy { .. } | Self::AccuracyLeast { .. } => "accuracy".to_owned(),
            Self::Scores { .. } => "scores".to_owned(),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.key())?;
        let percent = |share: &f64| trimmed(share * 100.0);
        match self {
            Self::Errors { ratio, extra } => {
                if *ratio > 1.0 {
                    write!(f, "x{}", trimmed(*ratio))?;
                }
                if *extra > 0.0 { write!(f, "+{}%", percent(extra)) } else { Ok(()) }
            }
            Self::Latency { times, .. } => write!(f, "x{}", trimmed(*times)),
            Self::Agreement { least } | Self::AccuracyLeast { least } => write!(f, "{}%", percent(least)),
            Self::Accuracy { margin } => write!(f, "-{}%", percent(margin)),
            Self::Scores { psi } => f.write_str(&trimmed(*psi)),
        }
    }
}

/// With at most four places behind the point, and none that says nothing.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl FromStr for Gate {
    type Err = RolloutError;

    fn from_str(text: &str) -> Result<Self, RolloutError> {
        const FORMS: &str =
            "write errors=+4%, errors=x1.5, p95=x1.2, agreement=95%, accuracy=-3%, accuracy=90% or scores=0.1";
        let refuse = |reason: &str| RolloutError::of(text, "a gate", format!("{reason}; {FORMS}"));
        let (key, value) = text.split_once('=').ok_or_else(|| refuse("it has no `=`"))?;
        let number = |text: &str, low: f64, high: f64| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let number = if digits { text.parse::<f64>().ok() } else { None };
            let number = number.ok_or_else(|| refuse("that is no number"))?;
            if (low..=high).contains(&number) {
                return Ok(number);
            }
            Err(refuse(&format!("{} is not between {} and {}", trimmed(number), trimmed(low), trimmed(high))))
        };
        let percent = |text: &str, low: f64, high: f64| {
            let text = text.strip_suffix('%').ok_or_else(|| refuse("it lacks a `%`"))?;
            number(text, low, high).map(|number| number / 100.0)
        };
        match key {
            "errors" => {
                let (ratio, extra) = match value.strip_prefix('x') {
                    Some(rest) => match rest.split_once('+') {
                        Some((ratio, extra)) => (number(ratio, 1.0, 1000.0)?, percent(extra, 0.01, 90.0)?),
                        None => (number(rest, 1.01, 1000.0)?, 0.0),
                    },
                    None => {
                        let extra = value.strip_prefix('+').ok_or_else(|| refuse("it begins with `+` or `x`"))?;
                        (1.0, percent(extra, 0.01, 90.0)?)
                    }
                };
                Ok(Self::Errors { ratio, extra })
            }
            "agreement" => Ok(Self::Agreement { least: percent(value, 1.0, 99.99)? }),
            "accuracy" => match value.strip_prefix('-') {
                Some(margin) => Ok(Self::Accuracy { margin: percent(margin, 0.01, 90.0)? }),
                None => Ok(Self::AccuracyLeast { least: percent(value, 1.0, 99.99)? }),
            },
            "scores" => Ok(Self::Scores { psi: number(value, 0.01, 10.0)? }),
            _ => {
                let quantile = key.strip_prefix('p').ok_or_else(|| refuse("there is no such gate"))?;
                let times = value.strip_prefix('x').ok_or_else(|| refuse("a latency has `x` and a factor"))?;
                Ok(Self::Latency {
                    quantile: number(quantile, 1.0, 99.9)? / 100.0,
                    times: number(times, 1.06, 1000.0)?,
                })
            }
        }
    }
}

/// Where the name of who asks stands, so that the same one is always answered by the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectKey {
    /// `header:NAME`: of a request over HTTP, or metadata of gRPC.
    Header(String),
    /// `parameter:NAME`: of a request for inference.
    Parameter(String),
    /// `trigger:FIELD`: of what started a run.
    Trigger(String),
}

impl fmt::Display for SubjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Parameter(name) => write!(f, "parameter:{name}"),
            Self::Trigger(name) => write!(f, "trigger:{name}"),
        }
    }
}

impl FromStr for SubjectKey {
    type Err = RolloutError;

    fn from_str(text: &str) -> Result<Self, RolloutError> {
        let refuse = |reason: &str| RolloutError::of(text, "a subject", reason);
        let (kind, name) =
            text.split_once(':').ok_or_else(|| refuse("write header:NAME, parameter:NAME or trigger:FIELD"))?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 100 || !name.bytes().all(fits) {
            return Err(refuse("the name has 1 to 100 letters, digits, `-`, `_` and `.`"));
        }
        match kind {
            "header" => Ok(Self::Header(name.to_ascii_lowercase())),
            "parameter" => Ok(Self::Parameter(name.to_owned())),
            "trigger" => Ok(Self::Trigger(name.to_owned())),
            _ => Err(refuse("it begins with header:, parameter: or trigger:")),
        }
    }
}

/// How often something comes: `40/h`, `2000/d`, `10/s`, `5/min`; kept as so many an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerHour(pub f64);

impl FromStr for PerHour {
    type Err = RolloutError;

    fn from_str(text: &str) -> Result<Self, RolloutError> {
        let refuse =
            || RolloutError::of(text, "a rate", "write a number and a time, such as 40/h, 2000/d, 10/s, 5/min");
        let (number, unit) = text.split_once('/').ok_or_else(refuse)?;
        let number: f64 =
            number.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0).ok_or_else(refuse)?;
        let hours = match unit {
            "s" => 3600.0,
            "m" | "min" => 60.0,
            "h" => 1.0,
            "d" => 1.0 / 24.0,
            _ => return Err(refuse()),
        };
        Ok(Self(number * hours))
    }
}

macro_rules! as_text {
    ($($kind:ty, $name:literal, $about:literal);+) => {
        $(impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $kind {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $about })
            }
        })+
    };
}

as_text! {
    Gate, "Gate", "`errors=+4%`, `errors=x1.5`, `p95=x1.2`, `agreement=95%`, `accuracy=-3%`, `accuracy=90%` or `scores=0.1`.";
    SubjectKey, "Subject", "`header:NAME`, `parameter:NAME` or `trigger:FIELD`."
}

/// What happens when all gates are passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Promotion {
    /// The candidate takes over.
    #[default]
    Auto,
    /// A person is asked.
    Ask,
}

/// A file that says a rollout: `rollout`, `candidate`, and the keys of its plan beside them.
///
/// # Errors
/// Every problem with its place.
pub fn load_rollout(file_name: &str, text: &str) -> Result<RolloutFile, SpecError> {
    let file: RolloutFile = read_yaml(file_name, text)?;
    match file.plan().filled().problems().into_iter().next() {
        None => Ok(file),
        Some((key, reason)) => {
            let problem = problem_at((file_name, text), &[key], code!("TS-0103"), &reason, None);
            Err(SpecError { problems: vec![problem] })
        }
    }
}

macro_rules! rollout_file {
    ($($(#[$about:meta])* $key:ident: $kind:ty),+ $(,)?) => {
        /// A rollout in a file.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, expecting = "a rollout: `rollout: MODEL`, `candidate: VERSION`, and how")]
        pub struct RolloutFile {
            /// The model's name.
            pub rollout: String,
            /// The version that is to take over: a number or an alias.
            pub candidate: Candidate,
            $($(#[$about])* $key: Option<$kind>),+
        }

        impl RolloutFile {
            /// How it is to go.
            #[must_use]
            pub fn plan(&self) -> RolloutPlan {
                let mut plan = RolloutPlan::default();
                $(if let Some(value) = &self.$key {
                    plan.$key = value.clone().into();
                })+
                plan
            }
        }
    };
}

rollout_file! {
    mode: RolloutMode,
    gates: Vec<Gate>,
    shares: Vec<f64>,
    evidence: u32,
    bake: Duration,
    ask_after: Duration,
    cool_down: Duration,
    subject: SubjectKey,
    promote: Promotion,
    output: String,
    tolerance: f64,
    error: f64,
}

/// A version, as people write it: `3` is a number in YAML, and an alias is a text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "the number of a version, or an alias")]
pub enum Candidate {
    /// A number.
    Number(u32),
    /// An alias.
    Alias(String),
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Alias(alias) => alias.fmt(f),
        }
    }
}

/// How a new version takes the place of the one in service.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Rollout")]
pub struct RolloutPlan {
    /// How the candidate gets its evidence.
    pub mode: RolloutMode,
    /// What must hold. Without any: `errors=+2%` and `p95=x1.5`; of a shadow `errors=+2%` and `agreement=95%`.
    pub gates: Vec<Gate>,
    /// The candidate's share of the requests in percent, step by step. Without it 5, 25 and 50 for a canary, 50 for ab. A shadow has its
    /// share of requests that are run twice, 100 without it.
    pub shares: Vec<f64>,
    /// The fewest requests that the candidate must have answered in a step before the next.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub evidence: u32,
    /// The shortest time of a step.
    pub bake: Duration,
    /// After this time without a verdict a person is asked.
    pub ask_after: Duration,
    /// How long the same content is not tried again after it was taken back.
    pub cool_down: Duration,
    /// Whose requests stay with one version. Without it each request is drawn for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectKey>,
    /// What happens when all gates are passed.
    pub promote: Promotion,
    /// The output that is compared; the first without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// How far two numbers may lie apart and be the same answer, in percent of the larger; where an output has several numbers for a row
    /// and no tolerance is given, the place of the greatest is compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// How often a rollout may be wrong, in percent: that a candidate as good is taken back, and that one at the margin is promoted.
    pub error: f64,
}

impl Default for RolloutPlan {
    fn default() -> Self {
        Self {
            mode: RolloutMode::default(),
            gates: Vec::new(),
            shares: Vec::new(),
            evidence: 100,
            bake: Duration::from_millis(10 * 60_000),
            ask_after: Duration::from_millis(14 * 86_400_000),
            cool_down: Duration::from_millis(86_400_000),
            subject: None,
            promote: Promotion::default(),
            output: None,
            tolerance: None,
            error: 5.0,
        }
    }
}

impl RolloutPlan {
    /// With what stands for keys that are not given.
    #[must_use]
    pub fn filled(mut self) -> Self {
        let errors = Gate::Errors { ratio: 1.0, extra: 0.02 };
        if self.gates.is_empty() {
            self.gates = match self.mode {
                RolloutMode::Shadow => vec![errors, Gate::Agreement { least: 0.95 }],
                _ => vec![errors, Gate::Latency { quantile: 0.95, times: 1.5 }],
            };
        }
        if self.shares.is_empty() {
            self.shares = match self.mode {
                RolloutMode::Canary => vec![5.0, 25.0, 50.0],
                RolloutMode::Ab => vec![50.0],
                RolloutMode::Shadow | RolloutMode::BlueGreen => vec![100.0],
            };
        }
        self
    }

    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut say = |key, reason: &str| problems.push((key, reason.to_owned()));
        if self.gates.len() > MOST_GATES {
            say("gates", "at most 8");
        }
        for (place, gate) in self.gates.iter().enumerate() {
            let key = gate.key();
            if self.gates[..place].iter().any(|other| other.key() == key) {
                say("gates", &format!("{key} is there twice"));
            }
            if matches!(gate, Gate::Agreement { .. }) && self.mode != RolloutMode::Shadow {
                say("gates", "agreement is of a shadow: in other modes a request is answered by one version");
            }
        }
        if self.shares.len() > MOST_SHARES {
            say("shares", "at most 20");
        }
        if self.shares.iter().any(|share| !(share.is_finite() && (0.1..=100.0).contains(share))) {
            say("shares", "each between 0.1 and 100 percent");
        }
        if self.shares.windows(2).any(|pair| pair[0] >= pair[1]) {
            say("shares", "each larger than the one before");
        }
        match self.mode {
            RolloutMode::Canary if self.shares.last().is_some_and(|last| *last > 95.0) => {
                say(
                    "shares",
                    "at most 95: the version in service must answer some at the same time, to be compared with",
                );
            }
            RolloutMode::Ab if self.shares.len() > 1 => say("shares", "one, of ab"),
            RolloutMode::Ab if self.shares.iter().any(|share| *share > 95.0) => say("shares", "at most 95, of ab"),
            RolloutMode::Shadow if self.shares.len() > 1 => say("shares", "one, of a shadow"),
            RolloutMode::BlueGreen if self.shares.iter().any(|share| *share < 100.0) => {
                say("shares", "none: blue-green goes from nothing to everything");
            }
            _ => {}
        }
        if !(1..=1_000_000).contains(&self.evidence) {
            say("evidence", "between 1 and 1000000 requests");
        }
        let days = |days: u64| Duration::from_millis(days * 86_400_000);
        for (key, time, most) in
            [("bake", self.bake, 90), ("ask_after", self.ask_after, 366), ("cool_down", self.cool_down, 366)]
        {
            if time > days(most) {
                say(key, &format!("at most {most} days"));
            }
        }
        if self.ask_after.as_millis() == 0 {
            say("ask_after", "more than nothing");
        }
        if self.tolerance.is_some_and(|tolerance| !(0.0..=100.0).contains(&tolerance)) {
            say("tolerance", "between 0 and 100 percent");
        }
        if !(0.1..=20.0).contains(&self.error) {
            say("error", "between 0.1 and 20 percent");
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_read_as_they_are_written() {
        for text in [
            "errors=+4%",
            "errors=x1.5",
            "errors=x1.5+2%",
            "p95=x1.2",
            "p99.9=x2",
            "agreement=95%",
            "accuracy=-3%",
            "accuracy=90%",
            "scores=0.1",
        ] {
            assert_eq!(text.parse::<Gate>().unwrap().to_string(), text);
        }
        for (text, why) in [
            ("errors", "no `=`"),
            ("errors=4%", "begins with `+` or `x`"),
            ("errors=+4", "lacks a `%`"),
            ("errors=+200%", "not between"),
            ("errors=+-4%", "no number"),
            ("errors=x1", "not between"),
            ("errors=+NaN%", "no number"),
            ("p95=1.2", "`x` and a factor"),
            ("p100=x2", "not between"),
            ("speed=x2", "no such gate"),
            ("agreement=100%", "not between"),
            ("scores=1e9", "no number"),
        ] {
            let error = text.parse::<Gate>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("errors=+4%"), "{text}: {error}");
        }
    }

    #[test]
    fn a_plan_says_what_is_wrong_with_it() {
        let plan = |text: &str| serde_json::from_str::<RolloutPlan>(text).unwrap().filled();
        assert!(plan("{}").problems().is_empty());
        assert_eq!(plan("{}").shares, [5.0, 25.0, 50.0]);
        assert_eq!(plan(r#"{"mode":"shadow"}"#).gates[1].to_string(), "agreement=95%");
        for (text, key, why) in [
            (r#"{"gates":["agreement=90%"]}"#, "gates", "of a shadow"),
            (r#"{"gates":["errors=+1%","errors=x2"]}"#, "gates", "errors is there twice"),
            (r#"{"shares":[50,25]}"#, "shares", "larger"),
            (r#"{"shares":[100]}"#, "shares", "at most 95"),
            (r#"{"mode":"ab","shares":[10,20]}"#, "shares", "one"),
            (r#"{"mode":"blue-green","shares":[10]}"#, "shares", "none"),
            (r#"{"evidence":0}"#, "evidence", "between"),
            (r#"{"bake":"91d"}"#, "bake", "90 days"),
            (r#"{"error":50}"#, "error", "between"),
            (r#"{"tolerance":-1}"#, "tolerance", "between"),
        ] {
            let problems = plan(text).problems();
            assert!(
                problems.iter().any(|(found, reason)| *found == key && reason.contains(why)),
                "{text}: {problems:?}"
            );
        }
        let kept = serde_json::to_string(&plan(r#"{"subject":"header:X-User","mode":"ab"}"#)).unwrap();
        assert!(kept.contains(r#""subject":"header:x-user""#), "{kept}");
        assert_eq!(
            serde_json::from_str::<RolloutPlan>(&kept).unwrap().subject,
            Some(SubjectKey::Header("x-user".into()))
        );
        assert!(serde_json::from_str::<RolloutPlan>(r#"{"gate":[]}"#).is_err());
    }
}
