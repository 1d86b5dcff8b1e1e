//! Which inputs of a model are kept because a label for them would teach most.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{ByteSize, Duration};

/// Hard samples of a model: inputs that it was not sure of. Without this table no input is kept. They lie in `samples/` of the data folder;
/// `trackside samples` lists, labels and exports them.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "samples: a table with `confidence`, `bytes` and the like")]
#[schemars(rename = "Samples")]
pub struct SamplesConfig {
    /// Inputs are kept whose answer has less confidence than this, of a request with several rows the least; 0 keeps none for that.
    pub confidence: f64,
    /// Whether inputs are kept while the model's drift is in alarm.
    pub drift: bool,
    /// Whether inputs are kept on which a candidate in the shadow gives another answer.
    pub disagreement: bool,
    /// Most bytes that a model's samples take; the oldest go first, those with a label last.
    pub bytes: ByteSize,
    /// Most bytes of the inputs of one sample; larger requests are passed over.
    pub largest: ByteSize,
    /// Most samples that are kept of a minute.
    #[schemars(range(min = 1, max = 600))]
    pub rate: u32,
    /// How long a sample is kept.
    pub age: Duration,
    /// Inputs that are left out of samples, by name. A request that has no such input is passed over: a wrong name here keeps nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
}

impl Default for SamplesConfig {
    fn default() -> Self {
        Self {
            confidence: 0.6,
            drift: true,
            disagreement: true,
            bytes: ByteSize::from_mib(64),
            largest: ByteSize::from_mib(1),
            rate: 6,
            age: Duration::from_millis(90 * 86_400_000),
            redact: Vec::new(),
        }
    }
}

impl SamplesConfig {
    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static [&'static str], String)> {
        let mut problems: Vec<(&'static [&'static str], String)> = Vec::new();
        if !(0.0..=1.0).contains(&self.confidence) {
            problems.push((&["samples", "confidence"], "between 0 and 1".to_owned()));
        }
        if !(1..=600).contains(&self.rate) {
            problems.push((&["samples", "rate"], "between 1 and 600".to_owned()));
        }
        let (least, most) = (ByteSize::from_bytes(1024), ByteSize::from_mib(64 << 10));
        if !(least..=most).contains(&self.bytes) {
            problems.push((&["samples", "bytes"], format!("between {least} and {most}")));
        }
        let most = ByteSize::from_mib(64);
        if !(ByteSize::from_bytes(1)..=most.min(self.bytes)).contains(&self.largest) {
            problems.push((&["samples", "largest"], format!("between 1B and {most}, and no more than `bytes`")));
        }
        let (shortest, longest) = (Duration::from_millis(60_000), Duration::from_millis(3650 * 86_400_000));
        if !(shortest..=longest).contains(&self.age) {
            problems.push((&["samples", "age"], format!("between {shortest} and {longest}")));
        }
        if self.redact.len() > 64 || self.redact.iter().any(String::is_empty) {
            problems.push((&["samples", "redact"], "at most 64 names, none of them empty".to_owned()));
        }
        problems
    }
}
