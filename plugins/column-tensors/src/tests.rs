//! The plugin as a whole, on the in-memory host.

use serde_json::json;
use trackside_sdk::testing::{Finished, TestHost, description_problems};

use super::*;

fn run(name: &str, rows: &str, options: Value) -> Result<Finished, StepError> {
    TestHost::new().artifact("rows", name, "application/octet-stream", rows).run::<Plugin>(options)
}

fn fails(name: &str, rows: &str, tensors: Value) -> String {
    let error = run(name, rows, json!({ "tensors": tensors })).unwrap_err();
    format!("{}: {}", error.code(), error.message())
}

#[test]
fn it_is_well_described() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn columns_become_tensors_in_their_types() {
    let tensors = json!({
        "age": { "type": "float32" }, "id": { "type": "uint64", "rank": 1 }, "sex": { "type": "string" },
        "both": { "type": "float64", "columns": ["age", "b"], "fill": "NaN" }, "ok": { "type": "boolean" },
    });
    let csv = "id,age,sex,b,ok\n18446744073709551615,0.1,\"a \"\"b\"\"\",NA,TRUE\n9007199254740993,22,NA,2.5,false\n";
    let lines = "{\"id\":18446744073709551615,\"age\":0.1,\"sex\":\"a \\\"b\\\"\",\"b\":null,\"ok\":true}\n\
        {\"id\":9007199254740993,\"age\":22,\"sex\":\"NA\",\"b\":2.5,\"ok\":false}\n";
    for (name, rows) in [("a.csv", csv), ("a.jsonl", lines)] {
        let done = run(name, rows, json!({ "tensors": tensors })).unwrap();
        let made = json!({
            "age": [[0.1], [22]], "id": [18_446_744_073_709_551_615_u64, 9_007_199_254_740_993_u64],
            "sex": [["a \"b\""], ["NA"]], "both": [[0.1, "NaN"], [22, 2.5]], "ok": [[true], [false]],
        });
        assert_eq!(done.output()["tensors"], made, "{name}");
        assert_eq!((&done.output()["row_count"], &done.output()["filled"]), (&json!(2), &json!(1)));
    }
}

#[test]
fn what_does_not_fit_is_told_with_its_line() {
    let one = |kind: &str| json!({ "v": { "type": kind } });
    for (name, rows, kind, part) in [
        (
            "a.csv",
            "v\n1\n\"\"\n",
            "float32",
            "1 of 2 rows are bad: line 3, column `v`: missing, and `fill` says nothing",
        ),
        ("a.jsonl", "{}\n", "string", "line 1, column `v`: missing"),
        ("a.csv", "v\n1.5\n", "int64", "not a whole number"),
        ("a.csv", "v\n128\n", "int8", "not from -128 to 127"),
        ("a.csv", "v\n-1\n", "uint64", "not from 0 to 18446744073709551615"),
        ("a.csv", "v\n9223372036854775808\n", "int64", "not from -9223372036854775808"),
        ("a.csv", "v\n18446744073709551616\n", "float64", "beyond 64 bits"),
        ("a.csv", "v\n1e39\n", "float32", "beyond a float32"),
        ("a.csv", "v\n1\n", "boolean", "neither true nor false"),
        ("a.jsonl", "{\"v\":1}\n", "string", "not a text"),
        ("a.csv", "v\n1,2\n", "float32", "2 fields where the header has 1"),
        ("a.csv", "w\n1\n", "float32", "column `v` is missing; there are `w`"),
        ("a.json", "[]", "float32", "a JSON document"),
    ] {
        let error = fails(name, rows, one(kind));
        assert!(error.starts_with("bad-data: a.") && error.contains(part), "{kind}: {error}");
    }
    let many: String = (0..9).map(|_| "x\n").collect();
    let error = fails("a.csv", &format!("v\n{many}"), one("int8"));
    assert!(error.contains("9 of 9") && error.contains("line 4") && error.ends_with("; …"), "{error}");
}

#[test]
fn options_that_contradict_themselves_are_refused() {
    for (tensors, part) in [
        (json!({}), "1 to 48"),
        (json!({ "v": { "type": "int8", "fill": 1000 } }), "`v`: fill: not from -128"),
        (json!({ "v": { "type": "int8", "fill": "NaN" } }), "fill: not a whole number"),
        (json!({ "v": { "type": "string", "fill": 1 } }), "fill: not a text"),
        (json!({ "v": { "type": "int8", "columns": ["a", "b"], "rank": 1 } }), "1 with one column"),
        (json!({ "v": { "type": "int8", "columns": [] } }), "at least one"),
    ] {
        let error = fails("a.csv", "v\n", tensors);
        assert!(error.starts_with("bad-input: ") && error.contains(part), "{error}");
    }
}

#[test]
fn no_rows_are_what_the_workflow_says() {
    let with = |empty: &str| run("a.csv", "v\n", json!({ "tensors": { "v": { "type": "int8" } }, "empty": empty }));
    assert_eq!(with("fail").unwrap_err().code(), "no-rows");
    assert!(with("skip").unwrap().skipped().is_some());
    assert_eq!(with("allow").unwrap().output()["tensors"], json!({ "v": [] }));
}

#[test]
fn many_rows_become_files() {
    let rows: String = (0..1_025).map(|at| format!("{at}.5,t{at}\n")).collect();
    let tensors = json!({ "v": { "type": "float32" }, "t": { "type": "text", "rank": 1 } });
    let done = run("a.csv", &format!("v,t\n{rows}"), json!({ "tensors": tensors })).unwrap();
    let made = &done.output()["tensors"];
    assert_eq!((&made["v"]["name"], &made["t"]["media_type"]), (&json!("v.safetensors"), &json!("application/json")));
    let files = done.artifacts("files");
    let texts: Value = serde_json::from_slice(&files[0].bytes).unwrap();
    assert_eq!(
        (&texts["datatype"], &texts["shape"], &texts["data"][1_024]),
        (&json!("BYTES"), &json!([1_025]), &json!("t1024"))
    );
    let (shape, values) = files[1].f32_tensor().unwrap();
    assert_eq!((shape, values[1_024]), (vec![1_025, 1], 1_024.5));
    // So do a few long ones.
    let long = format!("v,t\n1,{0}\n1,{0}\n", "x".repeat(30_000));
    let done = run("a.csv", &long, json!({ "tensors": tensors })).unwrap();
    assert_eq!(done.artifacts("files").len(), 2);
}
