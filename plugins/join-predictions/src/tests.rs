//! The plugin as a whole, on the in-memory host.

use serde_json::json;
use trackside_sdk::testing::{Finished, TestHost, description_problems};

use super::*;

fn run(name: &str, rows: &str, options: Value) -> Result<Finished, StepError> {
    TestHost::new().artifact("rows", name, "application/octet-stream", rows).run::<Plugin>(options)
}

fn joined(name: &str, rows: &str, outputs: Value) -> String {
    run(name, rows, json!({ "outputs": outputs })).unwrap().text("rows").to_owned()
}

fn fails(name: &str, rows: &str, options: Value) -> String {
    let error = run(name, rows, options).unwrap_err();
    format!("{}: {}", error.code(), error.message())
}

#[test]
fn it_is_well_described() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn rows_keep_their_bytes_and_get_new_values() {
    let outputs = json!({ "label": ["yes", "a \"b\", c"], "p": [[0.1, 0.9], ["NaN", 9_007_199_254_740_993_u64]], "w": [[true], [false]] });
    for end in ["\n", "\r\n", "\r"] {
        for mark in ["", "\u{feff}"] {
            let csv = ["id , name", "007,\"x", "y\"", "", " 1.0 ,"].join(end);
            assert_eq!(
                joined("a.csv", &format!("{mark}{csv}"), outputs.clone()),
                format!(
                    "{mark}{}",
                    [
                        "id , name,label,p_0,p_1,w",
                        "007,\"x",
                        "y\",yes,0.1,0.9,true",
                        " 1.0 ,,\"a \"\"b\"\", c\",NaN,9007199254740993,false"
                    ]
                    .join(end)
                )
            );
            let lines = ["{\"id\": 1.00 }", "", " {}"].join(end);
            assert_eq!(
                joined("a.jsonl", &format!("{mark}{lines}"), outputs.clone()),
                "{\"id\": 1.00 ,\"label\":\"yes\",\"p\":[0.1,0.9],\"w\":true}\n\
                 {\"label\":\"a \\\"b\\\", c\",\"p\":[\"NaN\",9007199254740993],\"w\":false}\n"
            );
        }
    }
}

#[test]
fn the_values_of_a_line_may_have_names() {
    let with = |names: Value| json!({ "outputs": { "p": [[1, 2]] }, "names": names });
    let names = json!({ "p": ["no", "y;es"] });
    assert_eq!(
        run("a.csv", "a;b\n1;2\n", {
            let mut with = with(names.clone());
            with["delimiter"] = ";".into();
            with
        })
        .unwrap()
        .text("rows"),
        "a;b;no;\"y;es\"\n1;2;1;2\n"
    );
    let done = run("a.jsonl", "{\"a\":1}\n", with(names)).unwrap();
    assert_eq!(done.text("rows"), "{\"a\":1,\"no\":1,\"y;es\":2}\n");
    assert_eq!(done.output(), &json!({ "row_count": 1, "columns": ["no", "y;es"], "unmatched": 0 }));
    for (names, part) in [
        (json!({ "p": ["one"] }), "1 for `p`, which has 2 values a line"),
        (json!({ "q": ["a", "b"] }), "there is no `q`"),
        (json!({ "p": ["a", "b"] }), "a column `a` already"),
        (json!({ "p": ["c", "c"] }), "two values would be called `c`"),
    ] {
        let error = fails("a.csv", "a\n1\n", with(names));
        assert!(error.starts_with("bad-input: ") && error.contains(part), "{error}");
    }
    assert!(
        fails("a.jsonl", "{}\n{\"p\":1}\n", json!({ "outputs": { "p": [1, 2] } }))
            .contains("line 2: the rows have a column `p`")
    );
}

#[test]
fn what_does_not_belong_together_is_refused() {
    for (rows, outputs, part) in [
        ("a\n1\n2\n", json!({ "p": [1] }), "row-mismatch: a.csv: 2 rows, and the outputs have 1 lines"),
        ("a\n1\n", json!({ "p": [1, 2] }), "row-mismatch: a.csv: 1 rows, and the outputs have 2 lines"),
        ("a\n1\n", json!({ "p": [1], "q": [1, 2] }), "`p` has 1 lines, `q` has 2"),
        ("a\n1,2\n", json!({ "p": [1] }), "bad-data: a.csv: line 2: 2 fields where the header has 1"),
        ("a\n1\n", json!({ "p": [[[1]]] }), "bad-tensor: `p`: it has more than two dimensions"),
        ("a\n1\n", json!({ "p": [[1], [1, 2]] }), "bad-tensor: `p`: its lines are not alike"),
        ("a\n1\n", json!({ "p": [1, [2]] }), "bad-tensor: `p`: its lines are not alike"),
        ("a\n1\n", json!({ "p": 1 }), "bad-tensor: `p`: not an output of a model"),
        ("a\n1\n", json!({}), "bad-input: outputs"),
        ("", json!({ "p": [] }), "bad-data: a.csv: the file is empty"),
    ] {
        let error = fails("a.csv", rows, json!({ "outputs": outputs }));
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(joined("a.csv", "a\n", json!({ "p": [] })), "a,p\n");
}

#[test]
fn rows_are_found_by_their_key() {
    let index = "{\"key\":{\"id\":9007199254740993,\"m\":\"1\"},\"window\":0}\n{\"key\":{\"id\":2,\"m\":\"a:b\"},\"window\":1}\n";
    let by_key = |rows: &str, unmatched: &str, index: &str, p: Value| {
        TestHost::new()
            .artifact("rows", "a.csv", "text/csv", rows)
            .artifact("index", "i.jsonl", "application/jsonl", index)
            .run::<Plugin>(json!({ "outputs": { "p": p }, "unmatched": unmatched }))
    };
    let rows = "m,id\na:b,2.0\n1,9007199254740992\n1,9007199254740993\n";
    let two = || json!([0.5, 0.7]);
    let done = by_key(rows, "empty", index, two()).unwrap();
    assert_eq!(done.text("rows"), "m,id,p\na:b,2.0,0.7\n1,9007199254740992,\n1,9007199254740993,0.5\n");
    assert_eq!(done.output()["unmatched"], 1);
    let done = by_key(rows, "drop", index, two()).unwrap();
    assert_eq!(done.text("rows"), "m,id,p\na:b,2.0,0.7\n1,9007199254740993,0.5\n");
    for (rows, index, p, part) in [
        (rows, index, two(), "row-mismatch: a.csv: line 3: no line of the index"),
        (
            "m,id\na:b,2\n",
            index,
            two(),
            "row-mismatch: a.csv: 1 of 2 lines of the index are about no row here; the first is number 1",
        ),
        ("m,id\na:b,2\na:b,2\n", index, two(), "row-mismatch: a.csv: line 3: a row before this one has the same key"),
        (rows, index, json!([1]), "row-mismatch: the index has 2 lines, `p` has 1"),
        ("m\n1\n", index, two(), "column `id` is missing"),
        (rows, "{\"window\":0}\n", json!([1]), "bad-data: index: line 1: no `key`"),
        (rows, "{\"key\":{\"id\":[]}}\n", json!([1]), "no text, number or truth value"),
        (rows, "{\"key\":{\"id\":1}}\n{\"key\":{\"id\":\"1\"}}\n", two(), "line 2: `id` of the key: not a number"),
        (
            rows,
            "{\"key\":{\"id\":1}}\n{\"key\":{\"id\":1.0}}\n",
            two(),
            "row-mismatch: index: line 2: the key {\"id\":1.0} is there twice",
        ),
    ] {
        let error = by_key(rows, "fail", index, p).unwrap_err();
        let error = format!("{}: {}", error.code(), error.message());
        assert!(error.contains(part), "{part}\n{error}");
    }
}
