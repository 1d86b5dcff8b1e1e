//! `tally`: counts and statistics that outlive a run, kept in the workflow's state.
//!
//! [`samples`] keeps the books of one name, [`report`] writes them down for people.

mod report;
mod samples;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_rows::timestamp::{self, Time};
use trackside_sdk::{Port, Step, StepError, Want};

use crate::{
    report::Format,
    samples::{Samples, Summary},
};

/// The most names under one key, so that the books stay a small value.
const MAX_NAMES: usize = 200;

/// The most samples that are kept as they are.
const MAX_KEEP: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    mode: Mode,
    #[serde(default = "key")]
    key: String,
    #[serde(default)]
    values: BTreeMap<String, Value>,
    #[serde(default = "ten")]
    keep: usize,
    #[serde(default)]
    reset: bool,
    #[serde(default = "title")]
    title: String,
    #[serde(default)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Record,
    Summary,
    Reset,
}

/// What is stored under one key.
#[derive(Default, Clone, Serialize, Deserialize)]
struct Books {
    /// Logical times of the first and the last record, in milliseconds since 1970.
    since: Option<i64>,
    until: Option<i64>,
    records: u64,
    samples: BTreeMap<String, Samples>,
}

/// The output document.
#[derive(Serialize)]
struct Output {
    mode: Mode,
    records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    samples: BTreeMap<String, Summary>,
}

fn key() -> String {
    "tally".into()
}

fn ten() -> usize {
    10
}

fn title() -> String {
    "Summary".into()
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    let state = step.workflow_state();
    let key = format!("tally/{}", input.key);
    let books = match input.mode {
        Mode::Record => {
            let now = i64::try_from(step.info().logical_time_ms).unwrap_or(i64::MAX);
            state.update(&key, |books: &mut Books| {
                books.record(&input, now)?;
                Ok(books.clone())
            })?
        }
        Mode::Summary => {
            let books = state.get::<Books>(&key)?.unwrap_or_default();
            let text = report::write(&input.title, &books, input.format);
            step.create_with("report", input.format.file_name(), input.format.media_type(), text.as_bytes())?;
            if input.reset {
                state.remove(&key)?;
            }
            books
        }
        Mode::Reset => {
            let books = state.get::<Books>(&key)?.unwrap_or_default();
            state.remove(&key)?;
            books
        }
    };
    Ok(Output {
        mode: input.mode,
        records: books.records,
        since: books.since.map(Time::from_millis).map(timestamp::format),
        until: books.until.map(Time::from_millis).map(timestamp::format),
        samples: books.samples.into_iter().map(|(name, samples)| (name, samples.summary())).collect(),
    })
}

impl Books {
    fn record(&mut self, input: &Input, now: i64) -> Result<(), StepError> {
        if input.values.is_empty() {
            return Err(StepError::fatal("bad-input", "values: name at least one value to record"));
        }
        for (name, value) in &input.values {
            if !self.samples.contains_key(name) && self.samples.len() == MAX_NAMES {
                let message =
                    format!("values: `{name}` would be name {} under the key; {MAX_NAMES} are kept", MAX_NAMES + 1);
                return Err(StepError::fatal("too-many-names", message));
            }
            let samples = self.samples.entry(name.clone()).or_default();
            samples
                .add_all(value, input.keep.min(MAX_KEEP))
                .map_err(|why| StepError::fatal("bad-input", format!("values: `{name}` {why}")))?;
        }
        self.records += 1;
        // Runs may end in another order than they were due.
        self.since = Some(self.since.map_or(now, |since| since.min(now)));
        self.until = Some(self.until.map_or(now, |until| until.max(now)));
        Ok(())
    }
}

trackside_sdk::plugin! {
    name: "tally",
    summary: "Keeps counts and statistics between runs and reports them",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    outputs: [Port::new("report", "The summary for people").media_type("text/markdown").media_type("text/csv")],
    wants: [Want::new("state", "", "the counts are kept in the workflow's state")],
    deterministic: false,
    run: run,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trackside_sdk::testing::{TestHost, description_problems};

    use super::*;

    fn host() -> TestHost {
        TestHost::new().with_state()
    }

    fn record(host: &mut TestHost, values: Value) {
        host.run::<Plugin>(json!({"mode": "record", "values": values, "keep": 2})).unwrap();
    }

    #[test]
    fn it_is_well_described() {
        assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
    }

    #[test]
    fn what_is_recorded_is_summed_up() {
        let mut host = host().logical_time_ms(1_709_208_000_000);
        record(&mut host, json!({"score": [1, 1, 3], "alert": false}));
        record(&mut host, json!({"score": 3, "alert": true}));
        let done = host.run::<Plugin>(json!({"mode": "summary", "title": "Night"})).unwrap();
        assert_eq!(
            done.output(),
            &json!({
                "mode": "summary", "records": 2,
                "since": "2024-02-29T12:00:00Z", "until": "2024-02-29T12:00:00Z",
                "samples": {
                    "alert": {"count": 2, "sum": 1, "mean": 0.5, "std": 0.5, "min": 0, "max": 1, "last": [0, 1]},
                    "score": {"count": 4, "sum": 8, "mean": 2, "std": 1, "min": 1, "max": 3, "last": [3, 3]},
                }
            })
        );
        let report = done.text("report");
        assert!(report.starts_with("# Night\n"), "{report}");
        assert!(report.contains("| score | 4 | 8 | 2 | 1 | 1 | 3 |"), "{report}");
    }

    #[test]
    fn a_summary_may_start_afresh() {
        let mut host = host();
        record(&mut host, json!({"n": 1}));
        let csv = host.run::<Plugin>(json!({"mode": "summary", "reset": true, "format": "csv"})).unwrap();
        assert_eq!(csv.text("report"), "name,count,sum,mean,std,min,max\nn,1,1,1,0,1,1\n");
        let empty = host.run::<Plugin>(json!({"mode": "summary"})).unwrap();
        assert_eq!(empty.output(), &json!({"mode": "summary", "records": 0, "samples": {}}));
        assert!(empty.text("report").contains("Nothing was recorded"));
    }

    #[test]
    fn a_failed_record_changes_nothing() {
        let mut host = host();
        record(&mut host, json!({"n": 1}));
        let error = host.run::<Plugin>(json!({"mode": "record", "values": {"n": 2, "text": "x"}})).unwrap_err();
        assert_eq!(error.code(), "bad-input");
        let done = host.run::<Plugin>(json!({"mode": "reset"})).unwrap();
        assert_eq!(done.output()["records"], 1);
        assert_eq!(host.run::<Plugin>(json!({"mode": "summary"})).unwrap().output()["records"], 0);
    }

    #[test]
    fn keys_are_apart() {
        let mut host = host();
        host.run::<Plugin>(json!({"mode": "record", "key": "a", "values": {"n": 1}})).unwrap();
        let other = host.run::<Plugin>(json!({"mode": "summary", "key": "b"})).unwrap();
        assert_eq!(other.output()["records"], 0);
    }

    #[test]
    fn without_the_grant_it_is_denied() {
        let error = TestHost::new().run::<Plugin>(json!({"mode": "summary"})).unwrap_err();
        assert_eq!(error.code(), "denied");
    }
}
