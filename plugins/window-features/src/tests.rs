//! The plugin as a whole, on the in-memory host.

use serde_json::json;
use trackside_sdk::testing::{Finished, TestHost, description_problems};

use super::*;

fn run(rows: &str, options: Value) -> Result<Finished, StepError> {
    TestHost::new().artifact("rows", "r.jsonl", "application/jsonl", rows).run::<Plugin>(options)
}

fn hours(values: &[(u32, Value)]) -> String {
    values.iter().map(|(hour, v)| format!("{}\n", json!({"t": format!("2024-01-01 {hour:02}:00"), "v": v}))).collect()
}

#[test]
fn it_is_well_described() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn windows_become_a_tensor_and_an_index() {
    let rows = hours(&[(0, json!(1)), (1, json!(3)), (2, json!(5)), (3, json!(9))]);
    let options = json!({"columns": ["v"], "window": 2, "features": ["raw", "mean"], "time": "t", "every": "1h",
        "normalise": {"v": {"mean": 1.0, "std": 2.0}}});
    let done = run(&rows, options).unwrap();
    let tensor = done.artifact("tensor").unwrap();
    assert_eq!(tensor.f32_tensor().unwrap(), (vec![2, 3], vec![0.0, 1.0, 0.5, 2.0, 4.0, 3.0]));
    assert_eq!(done.output()["features"], json!(["v[0]", "v[1]", "v.mean"]));
    assert_eq!(done.output()["last"], "2024-01-01T03:00:00Z");
    let index = done.text("index").lines().nth(1).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(index).unwrap(),
        json!({"window": 1, "row": 2, "start": "2024-01-01T02:00:00Z", "end": "2024-01-01T03:00:00Z"})
    );
}

#[test]
fn the_key_of_a_windows_last_row_is_in_the_index() {
    let rows = "{\"v\":1,\"id\":9007199254740993,\"m\":\"a\"}\n{\"v\":2,\"id\":9007199254740995,\"m\":\"b\"}\n{\"v\":null,\"id\":7,\"m\":null}\n\
        {\"v\":4,\"id\":8,\"m\":\"d\"}\n";
    let done = run(rows, json!({"columns": ["v"], "window": 1, "key": ["id", "m"]})).unwrap();
    // The row without a value has no window, and the rows after it keep their own keys.
    assert_eq!(
        done.text("index"),
        "{\"key\":{\"id\":9007199254740993,\"m\":\"a\"},\"row\":0,\"window\":0}\n\
         {\"key\":{\"id\":9007199254740995,\"m\":\"b\"},\"row\":1,\"window\":1}\n\
         {\"key\":{\"id\":8,\"m\":\"d\"},\"row\":3,\"window\":2}\n"
    );
    let error = run("{\"v\":1}\n", json!({"columns": ["v"], "window": 1, "key": ["id"]})).unwrap_err();
    assert!(error.message().contains("column `id` of the key is missing"), "{error}");
}

#[test]
fn missing_hours_are_skipped_or_filled() {
    let rows = hours(&[(0, json!(0)), (2, json!(2)), (3, json!(null)), (4, json!(4))]);
    let options = json!({"columns": ["v"], "window": 2, "stride": 1, "time": "t", "every": "1h"});
    assert_eq!(run(&rows, options.clone()).unwrap_err().code(), "no-window");
    let mut fill = options.clone();
    fill["gaps"] = "interpolate".into();
    let done = run(&rows, fill).unwrap();
    assert_eq!(done.artifact("tensor").unwrap().f32_tensor().unwrap().1, [0., 1., 1., 2., 2., 3., 3., 4.]);
    assert_eq!(done.output()["interpolated"], 2);
    assert_eq!(done.output()["absent_rows"], 1);
    let mut strict = options.clone();
    strict["gaps"] = "fail".into();
    assert_eq!(run(&rows, strict).unwrap_err().code(), "bad-data");
    let mut skip = options;
    skip["empty"] = "skip".into();
    assert!(run(&rows, skip).unwrap().skipped().unwrap().contains("no whole window"));
}

#[test]
fn a_scaler_file_is_used() {
    let mut host = TestHost::new().artifact("rows", "r.jsonl", "application/jsonl", "{\"v\":5}\n").artifact(
        "scaler",
        "s.json",
        "application/json",
        r#"{"columns": {"v": {"mean": 1, "std": 4}}}"#,
    );
    let done = host.run::<Plugin>(json!({"columns": ["v"], "window": 1})).unwrap();
    assert_eq!(done.artifact("tensor").unwrap().f32_tensor().unwrap(), (vec![1, 1], vec![1.0]));
}

#[test]
fn features_beyond_memory_are_written_in_a_second_pass() {
    let rows: String = (0..70_000).map(|value| format!("{{\"v\":{value}}}\n")).collect();
    let done = run(&rows, json!({"columns": ["v"], "window": 64, "stride": 1})).unwrap();
    let (shape, values) = done.artifact("tensor").unwrap().f32_tensor().unwrap();
    assert_eq!(shape, [70_000 - 63, 64]);
    assert_eq!(values[64], 1.0);
    assert_eq!(values.last(), Some(&69_999.0));
}

#[test]
fn broken_rows_are_named() {
    for (rows, part) in [("{\"v\":\"x\"}\n", "line 1: column `v` holds no number"), ("[]\n", "line 1: not a JSON")] {
        let error = run(rows, json!({"columns": ["v"], "window": 1})).unwrap_err();
        assert!(error.message().contains(part), "{error}");
    }
    assert_eq!(run("", json!({"columns": ["v"], "window": 0})).unwrap_err().code(), "bad-input");
}
