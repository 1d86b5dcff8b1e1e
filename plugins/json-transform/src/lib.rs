//! `json-transform`: a jq filter over a JSON document.
//!
//! [`filter`] compiles and runs, [`convert`] goes between JSON text and the filter's values.

mod convert;
mod filter;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, value::RawValue};
use trackside_sdk::{ArtifactRef, Port, Step, StepError};

use crate::filter::Filter;

/// The largest document that is read from a file.
const MAX_FILE: u64 = 16 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    filter: String,
    /// Kept as text: numbers stay as they are written. A null that is written is a document too.
    #[serde(default, deserialize_with = "present")]
    input: Option<Box<RawValue>>,
    file: Option<ArtifactRef>,
    #[serde(default)]
    args: BTreeMap<String, Box<RawValue>>,
    #[serde(default = "a_thousand")]
    max_outputs: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output {
    One { value: Value },
    Several { values: Vec<Value> },
}

fn a_thousand() -> usize {
    1_000
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    let document = match (&input.input, &input.file) {
        (Some(document), None) => convert::from_json(document.get().as_bytes(), "input")?,
        (None, Some(_)) => {
            let file = step.input("file")?;
            convert::from_json(&file.bytes(MAX_FILE)?, file.name())?
        }
        (None, None) => convert::null(),
        (Some(_), Some(_)) => return Err(StepError::fatal("bad-input", "give `input` or `file`, not both")),
    };
    let mut args = Vec::with_capacity(input.args.len());
    for (name, value) in &input.args {
        args.push((format!("${name}"), convert::from_json(value.get().as_bytes(), name)?));
    }
    let filter = Filter::compile(&input.filter, &args)?;
    let mut values = filter.run(document, args, input.max_outputs)?;
    Ok(match values.pop() {
        Some(value) if values.is_empty() => Output::One { value },
        last => {
            values.extend(last);
            Output::Several { values }
        }
    })
}

trackside_sdk::plugin! {
    name: "json-transform",
    summary: "Transforms JSON by a jq filter",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [Port::new("file", "The document, instead of `input`").media_type("application/json")],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trackside_sdk::testing::{TestHost, description_problems};

    use super::*;

    fn run(input: Value) -> Result<Value, StepError> {
        TestHost::new().run::<Plugin>(input).map(|done| done.output().clone())
    }

    #[test]
    fn it_is_well_described() {
        assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
    }

    #[test]
    fn filters_of_the_jq_language_work() {
        for (filter, input, value) in [
            (".a.b", json!({"a": {"b": [1, null]}}), json!([1, null])),
            ("map(select(.x > 1) | .x) | add", json!([{"x": 1}, {"x": 2}, {"x": 3}]), json!(5)),
            ("[.[] | {(.k): .v}] | add", json!([{"k": "a", "v": 1}, {"k": "b", "v": 2}]), json!({"a": 1, "b": 2})),
            ("[match(\"[0-9]+\"; \"g\").string]", json!("a12b345"), json!(["12", "345"])),
            (
                "group_by(.g) | map({g: .[0].g, n: length})",
                json!([{"g": 2}, {"g": 1}, {"g": 2}]),
                json!([{"g": 1, "n": 1}, {"g": 2, "n": 2}]),
            ),
            ("@base64", json!("edge"), json!("ZWRnZQ==")),
            ("fromdate", json!("2024-02-29T12:00:00Z"), json!(1_709_208_000)),
            ("[pow(2; 10), (9 | sqrt), 3000000000 * 2]", json!(null), json!([1024.0, 3.0, 6_000_000_000_u64])),
            ("try error(\"x\") catch .", json!(null), json!("x")),
        ] {
            assert_eq!(run(json!({"filter": filter, "input": input})).unwrap(), json!({"value": value}), "{filter}");
        }
    }

    #[test]
    fn several_results_become_a_list() {
        assert_eq!(run(json!({"filter": ".[]", "input": [1, 2]})).unwrap(), json!({"values": [1, 2]}));
        assert_eq!(run(json!({"filter": "empty"})).unwrap(), json!({"values": []}));
    }

    #[test]
    fn arguments_are_variables() {
        let input = json!({"filter": ". + $by + $more.x", "input": 1, "args": {"by": 2, "more": {"x": 3}}});
        assert_eq!(run(input).unwrap(), json!({"value": 6}));
        assert_eq!(run(json!({"filter": "1", "args": {"no good": 1}})).unwrap_err().code(), "bad-input");
    }

    #[test]
    fn a_file_may_be_the_document() {
        let mut host = TestHost::new().artifact("file", "a.json", "application/json", "{\"a\": 7}");
        assert_eq!(host.run::<Plugin>(json!({"filter": ".a"})).unwrap().output(), &json!({"value": 7}));
    }

    #[test]
    fn a_broken_filter_says_where() {
        for (filter, part) in [
            (".a |", "after `|`"),
            (".a | nosuch(1)", "filter `nosuch`"),
            ("$x", "variable `$x`"),
            ("\"a", "\"a"),
            ("import \"a\" as a; 1", "module"),
        ] {
            let error = run(json!({"filter": filter})).unwrap_err();
            assert_eq!(error.code(), "bad-filter");
            assert!(error.message().contains(part), "{filter}: {error}");
        }
    }

    #[test]
    fn what_goes_wrong_inside_is_told() {
        for (filter, part) in [
            (".a", "cannot index 1"),
            ("error(\"too hot\")", "too hot"),
            ("now", "no clock"),
            ("env", "environment"),
            ("halt", "halt"),
            ("[limit(100; repeat(1))] | length, repeat(2)", "more than 1000"),
            ("reduce range(200) as $i (null; [.])", "nested"),
        ] {
            let error = run(json!({"filter": filter, "input": 1})).unwrap_err();
            assert_eq!(error.code(), "filter-failed", "{filter}");
            assert!(error.message().contains(part), "{filter}: {error}");
        }
    }

    #[test]
    fn what_json_cannot_hold_becomes_null() {
        assert_eq!(run(json!({"filter": "[nan, infinite, -infinite]"})).unwrap(), json!({"value": [null, null, null]}));
    }
}
