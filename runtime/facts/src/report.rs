//! What an attempt of a step tells of itself.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use serde_json::{Map, Value};
use trackside_spec::Digest;

use crate::ContractReport;

/// Makes the struct and its form on disk from one list, which is in the order of the keys on disk.
macro_rules! report {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)*) => {
        /// What an attempt used and what did it, as the journal keeps it beside the step's result: for people, for costs,
        /// for lineage. Nothing stands there of what was not used.
        ///
        /// It is optional and large, so events hold it in an `Option<Box<_>>`.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct AttemptReport {
            $($(#[$doc])* pub $field: Option<$type>,)*
            /// What another version told: keys without a name here, and values that are not of the type that they have here.
            pub other: Map<String, Value>,
        }

        impl AttemptReport {
            fn put(&mut self, key: String, value: Value) {
                match key.as_str() {
                    $(stringify!($field) => {
                        self.$field = <$type>::deserialize(&value).ok();
                        if self.$field.is_some() {
                            self.other.remove(&key);
                            return;
                        }
                    })*
                    _ => {}
                }
                self.other.insert(key, value);
            }
        }

        impl Serialize for AttemptReport {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                $(if let Some(value) = &self.$field {
                    map.serialize_entry(stringify!($field), value)?;
                })*
                for (key, value) in &self.other {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }

        #[cfg(test)]
        const KEYS: &[&str] = &[$(stringify!($field)),*];
    };
}

report! {
    /// The run whose kept result stands for this attempt.
    cached_from: String,
    /// The plugin's name.
    plugin: String,
    /// The plugin's version.
    version: String,
    /// The model's name.
    model: String,
    /// Of the component or the model's file.
    digest: Digest,
    /// What ran the model, with its version: `rten 0.21.0`.
    engine: String,
    /// Its version alone.
    engine_version: String,
    /// When its code began, microseconds since 1970: after it waited for an instance or a session.
    began_us: i64,
    /// How long a model's session was waited for, in microseconds.
    queued_us: u64,
    /// How long the model ran, in microseconds.
    run_us: u64,
    /// From its beginning to its end, in microseconds.
    wall_us: u64,
    /// Processor time in microseconds.
    cpu_us: u64,
    /// Peak of linear memory in bytes.
    memory: u64,
    /// Runs that the instance had served before.
    earlier_runs: u64,
    /// Instructions.
    fuel: u64,
    /// Bytes of the input document.
    input_bytes: u64,
    /// Bytes of the output document.
    output_bytes: u64,
    /// Peak of table elements.
    table_elements: u64,
    /// Bytes of artifacts that were read.
    artifact_bytes_read: u64,
    /// Bytes of artifacts that were made.
    artifact_bytes_written: u64,
    /// Artifacts that were made.
    artifacts: u64,
    /// Bytes that were logged.
    log_bytes: u64,
    /// Lines that were logged.
    log_lines: u64,
    /// Lines that were dropped.
    log_lines_dropped: u64,
    /// Entries of state that were written.
    state_entries: u64,
    /// Bytes of state that were written.
    state_bytes: u64,
    /// Peak of bytes in tensors.
    tensor_bytes: u64,
    /// Effects that were staged.
    deliveries: u64,
    /// Requests.
    http_requests: u64,
    /// Bytes of bodies, both ways.
    http_bytes: u64,
    /// Models that a plugin ran.
    model_runs: u64,
    /// Secrets that left the box, and where to.
    secrets_sent: Vec<String>,
    /// Secrets whose values the plugin was shown, by name.
    secrets_revealed: Vec<String>,
    /// Calls that were refused, each with the YAML that would grant it.
    denials: Vec<String>,
    /// What the plugin measured.
    metrics: Vec<ReportedMetric>,
    /// Whether nothing but the input can have made the output.
    deterministic: bool,
    /// Inputs that do not fit their contracts.
    contracts: Vec<ContractReport>,
}

/// What a plugin measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
// One with more keys is of a later version: it is kept as it is.
#[serde(deny_unknown_fields)]
pub struct ReportedMetric {
    /// Its name.
    pub name: String,
    /// What the value is.
    pub kind: MetricKind,
    /// A number; of a histogram a list of them.
    pub value: Value,
    /// What tells it from others of its name: names to texts.
    pub attributes: Map<String, Value>,
}

/// What a measured value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricKind {
    /// A sum that grows.
    Counter,
    /// The last value counts.
    Gauge,
    /// Single values of a distribution.
    Histogram,
}

impl From<AttemptReport> for Option<Box<AttemptReport>> {
    fn from(report: AttemptReport) -> Self {
        Some(Box::new(report))
    }
}

impl<'de> Deserialize<'de> for AttemptReport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> de::Visitor<'de> for Keys {
            type Value = AttemptReport;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the report of an attempt, an object")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<AttemptReport, A::Error> {
                let mut report = AttemptReport::default();
                while let Some((key, value)) = map.next_entry()? {
                    report.put(key, value);
                }
                Ok(report)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As programs before this type wrote them.
    const STORED: &[&str] = &[
        // A plugin, with everything that there can be.
        r#"{"plugin":"echo","version":"1.0.0","digest":"sha256:0707070707070707070707070707070707070707070707070707070707070707","began_us":1780000000123456,"wall_us":20,"cpu_us":0,"memory":0,"earlier_runs":6,"fuel":7,"input_bytes":10,"output_bytes":15,"table_elements":18,"artifact_bytes_read":1,"artifact_bytes_written":2,"artifacts":3,"log_bytes":11,"log_lines":12,"log_lines_dropped":13,"state_entries":17,"state_bytes":16,"tensor_bytes":19,"deliveries":5,"http_requests":9,"http_bytes":8,"model_runs":14,"secrets_sent":["pw to https://a.example"],"secrets_revealed":["pw"],"denials":["http"],"metrics":[{"name":"n","kind":"counter","value":1,"attributes":{"b":"2","a":"1"}},{"name":"g","kind":"gauge","value":-0.5,"attributes":{}},{"name":"h","kind":"histogram","value":[1.0,2.5],"attributes":{}}],"deterministic":false,"contracts":[{"name":"rows","severity":"warn","rows":3,"bad_rows":1,"problems":[{"line":4,"column":"v","reason":"no number"}]}]}"#,
        // A plugin that used next to nothing; a command looks the same.
        r#"{"plugin":"wasi-command","version":"0.0.0","digest":"sha256:0707070707070707070707070707070707070707070707070707070707070707","began_us":-1,"wall_us":412,"cpu_us":311,"memory":1114112,"input_bytes":2,"output_bytes":2,"deterministic":true}"#,
        // A model, and one that never ran.
        r#"{"model":"pump","digest":"sha256:0707070707070707070707070707070707070707070707070707070707070707","engine":"rten 0.21.0","engine_version":"0.21.0","began_us":1780000000123456,"queued_us":0,"run_us":83,"wall_us":97}"#,
        r#"{"model":"pump","digest":"sha256:0707070707070707070707070707070707070707070707070707070707070707","engine":"onnxruntime 1.24.1","engine_version":"1.24.1","began_us":1780000000123456,"wall_us":97}"#,
        // A kept result.
        r#"{"cached_from":"01k6dz0c3q1t2v3w4x5y6z7a8b","plugin":"echo","version":"1.0.0","digest":"sha256:0707070707070707070707070707070707070707070707070707070707070707"}"#,
        // A step that was blocked, and one that another run did.
        r#"{"contracts":[{"name":"rows","severity":"error","whole":["no rows"]}]}"#,
        r"{}",
        // Of another version: keys that have no name here come last, and so does what is of another type.
        r#"{"memory":4,"zzz":{"b":null,"a":1},"aaa":1,"digest":"d","fuel":1.5,"metrics":[{"name":"g","kind":"gauge","value":1,"attributes":{},"unit":"C"}],"ms":3,"wall_us":-4}"#,
    ];

    #[test]
    fn every_form_on_disk_is_read_and_written_as_it_stands() {
        for text in STORED {
            let report: AttemptReport = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&report).unwrap(), *text);
        }
        // Events are buffered before it is known what they are: another way to the same place.
        let value: Value = serde_json::from_str(STORED[0]).unwrap();
        let report = AttemptReport::deserialize(&value).unwrap();
        assert_eq!(json!(report), value);
        assert!(report.other.is_empty(), "{:?}", report.other);
    }

    #[test]
    fn the_golden_reports_use_every_key() {
        let of_this_version = &STORED[..STORED.len() - 1];
        for key in KEYS {
            let quoted = format!("\"{key}\":");
            assert!(of_this_version.iter().any(|text| text.contains(&quoted)), "{key}");
        }
    }

    #[test]
    fn what_is_of_another_type_is_kept_and_not_taken() {
        let report: AttemptReport = serde_json::from_str(STORED[STORED.len() - 1]).unwrap();
        assert_eq!((report.wall_us, report.fuel, report.digest, report.metrics.is_none()), (None, None, None, true));
        let kept: Vec<&str> = report.other.keys().map(String::as_str).collect();
        assert_eq!(kept, ["zzz", "aaa", "digest", "fuel", "metrics", "ms", "wall_us"]);
        // Of a key that stands twice the last one counts, once.
        let twice: AttemptReport = serde_json::from_str(r#"{"fuel":"x","fuel":2,"memory":3,"memory":"y"}"#).unwrap();
        assert_eq!(serde_json::to_string(&twice).unwrap(), r#"{"fuel":2,"memory":"y"}"#);
        assert!(serde_json::from_str::<AttemptReport>("[]").is_err());
    }
}
