//! The plugin as a whole, on the in-memory host.

use serde_json::{Value, json};
use trackside_sdk::testing::{Finished, TestHost, description_problems};

use super::Plugin;

fn run(name: &str, text: impl Into<Vec<u8>>, options: Value) -> Result<Finished, trackside_sdk::StepError> {
    TestHost::new().artifact("file", name, "text/plain", text).run::<Plugin>(options)
}

#[test]
fn it_is_well_described() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn clean_rows_leave_as_jsonl_with_numbers_as_numbers() {
    let done =
        run("a.csv", "\u{feff}time,flow,id\r\n2024-01-01 00:00,1.50,007\r\n2024-01-01 01:00,,008\r\n", json!({}));
    let done = done.unwrap();
    let rows = "{\"time\":\"2024-01-01 00:00\",\"flow\":1.5,\"id\":\"007\"}\n\
                {\"time\":\"2024-01-01 01:00\",\"flow\":null,\"id\":\"008\"}\n";
    assert_eq!(done.text("rows"), rows);
    assert_eq!(done.artifact("rows").unwrap().name, "a.jsonl");
    assert_eq!(done.output()["row_count"], 2);
    assert_eq!(
        done.output()["columns"][1],
        json!({"name": "flow", "type": "number", "nulls": 1, "min": 1.5, "max": 1.5})
    );
}

#[test]
fn bad_rows_fail_the_step_and_leave_nothing() {
    let contract = json!({"columns": {"v": {"type": "number", "min": 0}}});
    let text = "v,w\n1,a\nx,b\n-2,c\n3\n";
    let error = run("a.csv", text, json!({"contract": contract})).unwrap_err();
    assert_eq!(error.code(), "bad-data");
    assert_eq!(
        error.message(),
        "a.csv: 3 of 4 rows are bad: line 3, column `v`: \"x\" is not a number; line 4, column `v`: \"-2\" is below 0; \
         line 5: 1 fields where the header has 2"
    );
}

#[test]
fn bad_rows_may_be_dropped_and_are_reported() {
    let contract = json!({"columns": {"v": {"type": "number", "min": 0}}});
    let done = run("a.csv", "v\n1\nx\n-2\n3\n", json!({"contract": contract, "on_bad": "drop"})).unwrap();
    assert_eq!(done.text("rows"), "{\"v\":1}\n{\"v\":3}\n");
    assert_eq!(done.output()["bad_rows"], 2);
    assert_eq!(done.output()["problems"][0], json!({"line": 3, "column": "v", "value": "x", "reason": "not a number"}));
}

#[test]
fn at_most_twenty_problems_are_kept() {
    let text = format!("v\n{}", "x\n".repeat(1_000));
    let options = json!({"contract": {"columns": {"v": {"type": "integer"}}}, "on_bad": "drop"});
    let done = run("a.csv", text, options).unwrap();
    assert_eq!(done.output()["bad_rows"], 1_000);
    assert_eq!(done.output()["problems"].as_array().unwrap().len(), 20);
}

#[test]
fn the_contract_may_come_as_a_file() {
    let schema = r#"{"columns": [{"name": "v", "required": true}], "extra_columns": "drop", "rows": {"max": 2}}"#;
    let mut host = TestHost::new().artifact("file", "a.csv", "text/csv", "u,v\n1,2\n").artifact(
        "schema",
        "s.json",
        "application/json",
        schema,
    );
    assert_eq!(host.run::<Plugin>(json!({})).unwrap().text("rows"), "{\"v\":2}\n");
}

#[test]
fn what_the_whole_file_promises_is_checked() {
    for (text, contract, part) in [
        ("v\n1\n", json!({"rows": {"min": 2}}), "at least 2"),
        ("v\n1\n2\n", json!({"rows": {"max": 1}}), "at most 1"),
        ("v\n1\n\"\"\n", json!({"columns": {"v": {"max_null_fraction": 0.1}}}), "are missing (0.500)"),
        ("u\n1\n", json!({"columns": {"v": {"required": true}}}), "column `v` is missing"),
        ("u\n1\n", json!({"extra_columns": "refuse"}), "column `u` is not in the contract"),
        ("v\n1\n1\n", json!({"columns": {"v": {"unique": true}}}), "there before"),
        ("v,v\n", json!({}), "there twice"),
        ("", json!({}), "empty"),
    ] {
        let error = run("a.csv", text, json!({"contract": contract})).unwrap_err();
        assert_eq!(error.code(), "bad-data");
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn jsonl_is_known_by_its_name() {
    let contract = json!({"columns": {"v": {"type": "integer"}}});
    let text = "{\"v\": 1, \"w\": \"x\"}\n{\"w\": \"y\", \"v\": 2.0}\nnonsense\n{\"v\": 1.5}\n";
    let done = run("a.ndjson", text, json!({"contract": contract, "on_bad": "drop"})).unwrap();
    assert_eq!(done.text("rows"), "{\"v\":1,\"w\":\"x\"}\n{\"v\":2,\"w\":\"y\"}\n");
    assert_eq!(done.output()["bad_rows"], 2);
    assert_eq!(done.output()["problems"][0]["line"], 3);
}

#[test]
fn other_delimiters_and_no_header_work() {
    let options = json!({"delimiter": ";", "header": false, "contract": {"columns": [{"name": "a"}]}});
    let done = run("a.csv", "1;2\n3;4\n", options).unwrap();
    assert_eq!(done.text("rows"), "{\"a\":1,\"column_2\":2}\n{\"a\":3,\"column_2\":4}\n");
    assert_eq!(run("a.csv", "a\n", json!({"delimiter": "::"})).unwrap_err().code(), "bad-input");
}

#[test]
fn a_file_with_the_line_ends_of_a_classic_mac_has_rows() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["machine, value", "M1,5", "X,.5", "Y,007", ""].join(end);
        let contract = json!({"columns": {"machine": {"type": "string"}, "value": {"type": "number"}}});
        let done = run("a.csv", text, json!({"contract": contract})).unwrap();
        let rows =
            "{\"machine\":\"M1\",\"value\":5}\n{\"machine\":\"X\",\"value\":0.5}\n{\"machine\":\"Y\",\"value\":7}\n";
        assert_eq!(done.text("rows"), rows);
        let lines = run("a.jsonl", ["{\"v\":1}", "{\"v\":2}"].join(end), json!({})).unwrap();
        assert_eq!(lines.text("rows"), "{\"v\":1}\n{\"v\":2}\n");
    }
}

#[test]
fn bytes_that_are_no_text_make_the_row_bad_also_in_columns_that_are_left_out() {
    let contract = json!({"columns": {"v": {"type": "integer"}}, "extra_columns": "drop"});
    let options = json!({"contract": contract, "on_bad": "drop"});
    let done = run("a.csv", &b"v,w\n1,\xff\n2,\0\n3,x\n"[..], options).unwrap();
    assert_eq!(done.text("rows"), "{\"v\":3}\n");
    let reasons: Vec<_> = done.output()["problems"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["not UTF-8", "a NUL byte; is the file UTF-16?"]);
}

#[test]
fn a_whole_number_that_would_be_rounded_is_refused_or_stays_text() {
    let typed = json!({"contract": {"columns": {"id": {"type": "integer"}}}});
    for (name, text) in [("a.csv", "id\n18446744073709551616\n"), ("a.jsonl", "{\"id\":18446744073709551616}\n")] {
        let error = run(name, text, typed.clone()).unwrap_err();
        assert!(error.message().contains("beyond 64 bits"), "{error}");
    }
    let done = run("a.csv", "id\n18446744073709551615\n9007199254740993\n", typed).unwrap();
    assert_eq!(done.text("rows"), "{\"id\":18446744073709551615}\n{\"id\":9007199254740993}\n");
    assert_eq!(done.output()["columns"][0]["max"], json!(u64::MAX));
    assert_eq!(
        run("a.csv", "id\n18446744073709551616\n", json!({})).unwrap().text("rows"),
        "{\"id\":\"18446744073709551616\"}\n"
    );
}

#[test]
fn unknown_options_are_refused() {
    assert_eq!(run("a.csv", "a\n", json!({"delimeter": ";"})).unwrap_err().code(), "bad-input");
}
