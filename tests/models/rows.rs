//! From rows to a model's inputs and back, to the last digit.

use serde_json::{Value, json};

use crate::{MODEL, onnx, project, runtime_of, support::Project};

/// y = x, both whole numbers of 64 bits, of the shape [n, 1] with any n.
fn same_whole() -> Vec<u8> {
    let node = onnx::node("", "Identity", &["x"], &["y"]);
    let [x, y] = ["x", "y"].map(|name| onnx::value_of_rank(name, onnx::INT64, 2));
    onnx::model(&onnx::graph(&[node], &[], &[x], &[y]))
}

/// The text of an artifact of this project.
#[track_caller]
fn text(project: &Project, artifact: &Value) -> String {
    project.artifact(artifact["artifact"].as_str().unwrap_or_else(|| panic!("no artifact: {artifact}")))
}

#[test]
fn whole_numbers_go_through_a_model_to_their_last_digit() {
    let runtime = runtime_of("whole numbers through a model");
    let project = project(&runtime);
    project.write("same.onnx", same_whole());
    for engine in if runtime.is_empty() { &["rten"][..] } else { &["rten", "onnxruntime"] } {
        project.workflow(
            "w",
            &format!(
                "steps:\n  read: {{ plugin: column-tensors, with: {{ rows: \"${{trigger.file}}\", tensors: {{ x: {{ type: int64, columns: [id] }} }} }} }}\n  \
                 same: {{ needs: [read], model: same.onnx, engine: {engine}, inputs: \"${{steps.read.tensors}}\" }}\n  \
                 out: {{ needs: [same], plugin: join-predictions, with: {{ rows: \"${{trigger.file}}\", outputs: {{ same: \"${{steps.same.outputs.y}}\" }} }} }}\n"
            ),
        );
        // Three rows are lists, 3,000 are files.
        for times in [1, 1_000] {
            let rows = "9007199254740993\n-9223372036854775808\n9223372036854775807\n".repeat(times);
            project.write("ids.csv", format!("id\n{rows}"));
            let view = project.run(&["run", "w", "--file", "ids.csv", "--json"]).ok().json();
            assert_eq!(view["outputs"]["same"]["outputs"]["y"].is_array(), times == 1, "{view:#}");
            let joined = text(&project, &view["outputs"]["out"]["rows"]);
            let right: String = rows.lines().map(|id| format!("{id},{id}\n")).collect();
            assert_eq!(joined, format!("id,same\n{right}"), "{engine}");
        }
    }
    project.write("ids.csv", "id\n9223372036854775808\n");
    project.run(&["run", "w", "--file", "ids.csv"]).exits(1).says(&["bad-data", "line 2", "9223372036854775807"]);
}

#[test]
fn doubles_go_through_a_model_as_the_nearest_ones() {
    let project = project("");
    let node = onnx::node("", "Identity", &["x"], &["y"]);
    let [x, y] = ["x", "y"].map(|name| onnx::value_of_rank(name, onnx::DOUBLE, 2));
    project.write("same.onnx", onnx::model(&onnx::graph(&[node], &[], &[x], &[y])));
    project.workflow(
        "w",
        "steps:\n  read: { plugin: column-tensors, with: { rows: \"${trigger.file}\", tensors: { x: { type: float64, columns: [v] } } } }\n  \
         same: { needs: [read], model: same.onnx, engine: rten, inputs: \"${steps.read.tensors}\" }\n",
    );
    // A reader of JSON that is quick and not exact gives the double beside the first one.
    let values = ["5.960464477539063e-8", "0.1", "1.7976931348623157e308", "5e-324", "123456789.12345679"];
    let right: Vec<Vec<f64>> = values.iter().map(|value| vec![value.parse().unwrap()]).collect();
    for (name, rows) in [
        ("v.jsonl", values.iter().map(|value| format!("{{\"v\":{value}}}\n")).collect::<String>()),
        ("v.csv", format!("v\n{}\n", values.join("\n"))),
    ] {
        project.write(name, rows);
        let view = project.run(&["run", "w", "--file", name, "--json"]).ok().json();
        assert_eq!(view["outputs"]["same"]["outputs"]["y"], json!(right), "{name}");
    }
}

#[test]
fn what_a_model_says_of_a_window_stands_beside_its_last_row() {
    let project = project("[models.pump]\npath = \"models/pump-anomaly.onnx\"\n");
    assert!(project.path(MODEL).is_file());
    let workflow = |unmatched: &str| {
        project.workflow(
            "w",
            &format!(
                "steps:\n  check: {{ plugin: csv-check, with: {{ file: \"${{trigger.file}}\" }} }}\n  \
                 win:\n    needs: [check]\n    plugin: window-features\n    with: {{ rows: \"${{steps.check.rows}}\", columns: [flow], window: 12, stride: 1, key: [id] }}\n  \
                 score: {{ needs: [win], model: pump, engine: rten, inputs: {{ x: \"${{steps.win.tensor}}\" }} }}\n  \
                 out:\n    needs: [score]\n    plugin: join-predictions\n    with:\n      rows: \"${{trigger.file}}\"\n      index: \"${{steps.win.index}}\"\n      \
                 outputs: {{ score: \"${{steps.score.outputs.score}}\" }}\n      unmatched: {unmatched}\n"
            ),
        );
    };
    // Row 13 has no value: no window holds it, nor any of the next eleven rows.
    let flow = |at: u32| if at == 13 { String::new() } else { (100 + at % 3).to_string() };
    let rows: String = (1..=25).map(|at| format!("p{at},{}\n", flow(at))).collect();
    project.write("flow.csv", format!("id,flow\n{rows}"));
    workflow("empty");
    let view = project.run(&["run", "w", "--file", "flow.csv", "--json"]).ok().json();
    let scores = view["outputs"]["score"]["outputs"]["score"].as_array().unwrap();
    let joined = text(&project, &view["outputs"]["out"]["rows"]);
    let scored: Vec<&str> = joined.lines().skip(1).filter(|row| !row.ends_with(',')).collect();
    assert_eq!(scored, [format!("p12,100,{}", scores[0]), format!("p25,101,{}", scores[1])]);
    assert_eq!((joined.lines().count(), &view["outputs"]["out"]["unmatched"]), (26, &json!(23)));
    workflow("drop");
    let view = project.run(&["run", "w", "--file", "flow.csv", "--json"]).ok().json();
    assert_eq!(text(&project, &view["outputs"]["out"]["rows"]).lines().count(), 3);
    workflow("fail");
    project.run(&["run", "w", "--file", "flow.csv"]).exits(1).says(&["row-mismatch", "flow.csv: line 2"]);
}

#[test]
fn a_file_of_texts_is_an_input_and_others_are_told_apart() {
    let project = project("");
    let node = onnx::node("", "Identity", &["x"], &["y"]);
    let [x, y] = ["x", "y"].map(|name| onnx::value_of_rank(name, onnx::STRING, 1));
    project.write("same.onnx", onnx::model(&onnx::graph(&[node], &[], &[x], &[y])));
    project.workflow("w", "steps:\n  s: { model: same.onnx, engine: rten, inputs: { x: \"${trigger.file}\" } }\n");
    project.write("x.json", r#"{"name": "other", "datatype": "BYTES", "shape": [2], "data": ["a", "é\u0000"]}"#);
    let view = project.run(&["run", "w", "--file", "x.json", "--json"]).ok().json();
    assert_eq!(view["outputs"]["s"]["outputs"]["y"], json!(["a", "é\u{0}"]));
    for (text, words) in [
        (
            r#"{"datatype": "BYTES", "shape": [3], "data": ["a"]}"#,
            &["bad-tensor", "x.json", "needs 3 strings, not 1"][..],
        ),
        (r#"{"datatype": "FP32", "shape": [0], "data": []}"#, &["bad-tensor", "x.json", "FP32", "safetensors"]),
        ("[\"a\"]", &["bad-tensor", "x.json", "no file of a text tensor"]),
    ] {
        project.write("x.json", text);
        project.run(&["run", "w", "--file", "x.json"]).exits(1).says(words);
    }
}
