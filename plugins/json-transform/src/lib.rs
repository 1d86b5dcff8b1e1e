//! `json-transform`: a jq filter over a JSON document, or over each line of a file of JSON lines.
//!
//! [`filter`] compiles and runs, [`convert`] goes between JSON text and the filter's values, [`rows`] goes through lines.

mod convert;
mod filter;
mod rows;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, value::RawValue};
use trackside_sdk::{Artifact, ArtifactRef, Port, Step, StepError};

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
    #[serde(default)]
    format: Format,
    #[serde(default)]
    slurp: bool,
    #[serde(default = "a_thousand")]
    max_outputs: usize,
}

#[derive(Default, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Auto,
    Json,
    Jsonl,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Output {
    Rows { line_count: u64, row_count: u64 },
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
    let mut args = Vec::with_capacity(input.args.len());
    for (name, value) in &input.args {
        args.push((format!("${name}"), convert::from_json(value.get().as_bytes(), name)?));
    }
    let filter = Filter::compile(&input.filter, &args)?;
    let document = match (&input.input, &input.file) {
        (Some(document), None) => convert::from_json(document.get().as_bytes(), "input")?,
        (None, Some(_)) => {
            let file = step.input("file")?;
            match (is_lines(input.format, &file), input.slurp) {
                (true, false) => return rows::each(&file, &filter, &args, input.max_outputs, step),
                (true, true) => rows::all(&file, MAX_FILE)?,
                (false, _) => convert::from_json(&file.bytes(MAX_FILE)?, file.name())?,
            }
        }
        (None, None) => convert::null(),
        (Some(_), Some(_)) => return Err(StepError::fatal("bad-input", "give `input` or `file`, not both")),
    };
    let mut values = filter.run(document, args, input.max_outputs)?;
    Ok(match values.pop() {
        Some(value) if values.is_empty() => Output::One { value },
        last => {
            values.extend(last);
            Output::Several { values }
        }
    })
}

/// By its name or its media type, unless the workflow says.
fn is_lines(format: Format, file: &Artifact) -> bool {
    let name = file.name().to_ascii_lowercase();
    let named = name.ends_with(".jsonl") || name.ends_with(".ndjson");
    let typed = matches!(file.media_type(), "application/jsonl" | "application/x-ndjson" | "application/x-jsonlines");
    format == Format::Jsonl || (format == Format::Auto && (named || typed))
}

trackside_sdk::plugin! {
    name: "json-transform",
    summary: "Transforms JSON by a jq filter",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [
        Port::new("file", "The document, or lines of them, instead of `input`")
            .media_type("application/json").media_type("application/jsonl"),
    ],
    outputs: [
        Port::new("rows", "What the filter makes of the lines of a file, one result a line")
            .media_type("application/jsonl"),
    ],
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

    fn lines(name: &str, text: &str, input: Value) -> Result<trackside_sdk::testing::Finished, StepError> {
        TestHost::new().artifact("file", name, "application/octet-stream", text).run::<Plugin>(input)
    }

    #[test]
    fn each_line_of_a_file_goes_through_the_filter() {
        let text = "{\"v\":1,\"id\":9007199254740993}\r\n\r\n{\"v\":2}\r{\"v\":3}";
        let filter = json!({"filter": "select(.v != 2) | .v *= 10"});
        let done = lines("a.jsonl", text, filter.clone()).unwrap();
        assert_eq!(done.text("rows"), "{\"id\":9007199254740993,\"v\":10}\n{\"v\":30}\n");
        assert_eq!(done.output(), &json!({"line_count": 3, "row_count": 2}));
        assert_eq!(done.artifact("rows").unwrap().name, "a.jsonl");
        let mut told = filter;
        told["format"] = "jsonl".into();
        assert_eq!(lines("a.txt", text, told).unwrap().output()["row_count"], 2);
        let several = lines("a.ndjson", "[1,2]\n3\n", json!({"filter": ".[]?"})).unwrap();
        assert_eq!(several.text("rows"), "1\n2\n");
    }

    #[test]
    fn all_lines_may_be_one_list() {
        let text = "{\"v\":1}\n{\"v\":2}\n";
        let done = lines("a.jsonl", text, json!({"filter": "map(.v) | add", "slurp": true})).unwrap();
        assert_eq!(done.output(), &json!({"value": 3}));
        assert!(done.artifact("rows").is_none());
    }

    #[test]
    fn a_broken_line_is_named_and_leaves_nothing() {
        for (text, part) in [
            ("{\"v\":1}\n{\n", "a.jsonl, line 2"),
            ("{\"v\":1}\n1,2\n", "a.jsonl, line 2"),
            ("{\"v\":1}\n7\n", "line 2: cannot index 7"),
            ("{\"v\":18446744073709551615}\n{\"v\":18446744073709551616}\n", "line 2: the result 18446744073709551616"),
        ] {
            let error = lines("a.jsonl", text, json!({"filter": ".v"})).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
        let text = "{\"v\":18446744073709551616}\n";
        let kept = lines("a.jsonl", text, json!({"filter": ".v | tostring"})).unwrap();
        assert_eq!(kept.text("rows"), "\"18446744073709551616\"\n");
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
