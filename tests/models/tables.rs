//! Rows of a table as the inputs of a model, without a plugin, and what the model says beside each.

use serde_json::{Value, json};

use crate::{onnx, project, support::Project};

/// Twice `age`, `count` and `sex` as they are: an input for each column, as a scikit-learn pipeline of named columns has them.
fn passengers() -> Vec<u8> {
    let nodes = [
        onnx::node("", "Add", &["age", "age"], &["twice"]),
        onnx::node("", "Identity", &["count"], &["counted"]),
        onnx::node("", "Identity", &["sex"], &["said"]),
    ];
    let kinds = [onnx::FLOAT, onnx::INT64, onnx::STRING];
    let ports = |names: [&str; 3]| -> Vec<Vec<u8>> {
        names.iter().zip(kinds).map(|(name, kind)| onnx::value_of_rows(name, kind, 1)).collect()
    };
    onnx::model(&onnx::graph(&nodes, &[], &ports(["age", "count", "sex"]), &ports(["twice", "counted", "said"])))
}

/// y = x, a table of three columns.
fn wide() -> Vec<u8> {
    let node = onnx::node("", "Identity", &["x"], &["y"]);
    onnx::model(&onnx::graph(
        &[node],
        &[],
        &[onnx::value_of_rows("x", onnx::FLOAT, 3)],
        &[onnx::value_of_rows("y", onnx::FLOAT, 3)],
    ))
}

fn lab() -> Project {
    let project = project("");
    project.write("passengers.onnx", passengers());
    project.write("wide.onnx", wide());
    project
}

fn step(project: &Project, model: &str, inputs: &str) {
    project.workflow("w", &format!("steps:\n  s:\n    model: {model}.onnx\n    engine: rten\n    inputs: {inputs}\n"));
}

/// The output of the step.
#[track_caller]
fn output(project: &Project, file: &str) -> Value {
    project.run(&["run", "w", "--file", file, "--json"]).ok().json()["outputs"]["s"].clone()
}

const CSV: &str = "id,sex,age,count\np1,m,22,9007199254740993\np2,f,38.5,2\n";

#[test]
fn a_table_reaches_a_model_of_many_named_inputs_in_every_form() {
    let project = lab();
    let lines = "{\"id\":\"p1\",\"sex\":\"m\",\"age\":22,\"count\":9007199254740993}\n{\"id\":\"p2\",\"sex\":\"f\",\"age\":38.5,\"count\":2}\n";
    project.write("t.csv", CSV);
    project.write("t.tsv", CSV.replace(',', "\t"));
    project.write("t.jsonl", lines);
    project.write("t.json", format!("[{}]", lines.trim().replace('\n', ",")));
    let right = json!([
        {"id": "p1", "sex": "m", "age": 22, "count": 9_007_199_254_740_993_u64, "twice": 44.0, "counted": 9_007_199_254_740_993_u64, "said": "m"},
        {"id": "p2", "sex": "f", "age": 38.5, "count": 2, "twice": 77.0, "counted": 2, "said": "f"},
    ]);
    for inputs in ["\"${trigger.file}\"", "{ rows: \"${trigger.file}\" }"] {
        step(&project, "passengers", inputs);
        project.run(&["check"]).ok();
        for file in ["t.csv", "t.tsv", "t.jsonl", "t.json"] {
            let output = output(&project, file);
            assert_eq!(output["rows"], right, "{file} as {inputs}");
            assert_eq!(output["outputs"]["counted"], json!([[9_007_199_254_740_993_u64], [2]]));
        }
    }
    // Columns of other names, and which come back.
    project.write("named.csv", CSV.replace("age", "years"));
    step(&project, "passengers", "{ rows: \"${trigger.file}\", columns: { age: years }, keep: [id] }");
    project.run(&["check"]).ok();
    assert_eq!(output(&project, "named.csv")["rows"][1], json!({"id": "p2", "twice": 77.0, "counted": 2, "said": "f"}));
}

#[test]
fn a_decision_reads_what_the_model_says_of_a_row() {
    let project = lab();
    project.workflow(
        "w",
        "params: { rows: { type: array, default: [{ age: 1, count: 1, sex: a }] } }\nsteps:\n  s: { model: passengers.onnx, engine: rten, inputs: \"${params.rows}\" }\n  \
         old: { needs: [s], when: \"steps.s.rows[0].twice > 40.0 && steps.s.rows[0].said == 'm'\", plugin: echo, with: { value: \"${steps.s.rows[0]}\" } }\n",
    );
    project.run(&["check"]).ok();
    let run = |rows: &str| {
        project.run(&["run", "w", "-p", &format!("rows={rows}"), "--json"]).ok().json()["outputs"]["old"].clone()
    };
    let row = r#"{"age": 22, "count": 1, "sex": "m"}"#;
    assert_eq!(run(&format!("[{row}]"))["value"]["twice"], 44.0);
    assert_eq!(run(&format!("[{}]", row.replace("22", "2"))), Value::Null);
}

#[test]
fn one_input_takes_several_columns_in_the_order_that_the_step_names() {
    let project = lab();
    project.write("t.csv", "c,a,b\n3,1,2\n6,4,5\n");
    for (inputs, right) in [
        ("{ x: { rows: \"${trigger.file}\", columns: [a, b, c] } }", json!([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])),
        ("{ rows: \"${trigger.file}\", columns: { x: [b, a, c] } }", json!([[2.0, 1.0, 3.0], [5.0, 4.0, 6.0]])),
        // As they stand, where they are as many as the model takes.
        ("{ x: \"${trigger.file}\" }", json!([[3.0, 1.0, 2.0], [6.0, 4.0, 5.0]])),
        ("\"${trigger.file}\"", json!([[3.0, 1.0, 2.0], [6.0, 4.0, 5.0]])),
        ("{ x: [{ a: 1, b: 2, c: 3 }] }", json!([[1.0, 2.0, 3.0]])),
    ] {
        step(&project, "wide", inputs);
        project.run(&["check"]).ok();
        let output = output(&project, "t.csv");
        assert_eq!(output["outputs"]["y"], right, "{inputs}");
        assert_eq!(output["rows"][0]["y"], right[0], "{inputs}");
    }
    project.write("four.csv", "id,a,b,c\n7,1,2,3\n");
    for (inputs, words) in [
        ("{ x: \"${trigger.file}\" }", &["float32[?,3]", "is given 4", "`id`, `a`, `b`, `c`", "columns: [..]"][..]),
        ("{ x: { rows: \"${trigger.file}\", columns: [a, b] } }", &["is given 2", "`a`, `b`"]),
        ("{ x: { rows: \"${trigger.file}\", columns: [a, b, d] } }", &["the column `d` is missing", "`id`, `a`"]),
    ] {
        step(&project, "wide", inputs);
        project.run(&["run", "w", "--file", "four.csv"]).exits(1).says(&["bad-tensor", "input `x`"]).says(words);
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_with_its_row_and_column() {
    let project = lab();
    step(&project, "passengers", "\"${trigger.file}\"");
    for (name, text, words) in [
        ("t.csv", "sex,age,count\nm,1,1\nf,x,2\n", &["line 3", "column `age`", "not a number"][..]),
        ("t.csv", "sex,age,count\nm,1,1.5\n", &["line 2", "column `count`", "not a whole number"]),
        ("t.csv", "sex,age,count\nm,1,9223372036854775808\n", &["column `count`", "as int64"]),
        ("t.csv", "sex,age,count\nm,1e39,1\n", &["column `age`", "as float32"]),
        ("t.csv", "sex,age,count\nm,NA,1\n", &["line 2", "column `age`", "it has no value", "fill"]),
        ("t.csv", "sex,age,count\nm,1\n", &["line 2", "2 fields where the header has 3"]),
        ("t.csv", "sex,count\nm,1\n", &["input `age`", "no column of its name", "`sex`, `count`"]),
        (
            "t.jsonl",
            "{\"sex\":\"m\",\"age\":1,\"count\":1}\n{\"sex\":1,\"age\":1,\"count\":1}\n",
            &["line 2", "`sex`", "not a text"],
        ),
        ("t.jsonl", "{\"sex\":\"m\",\"age\":1,\"count\":1}\n[]\n", &["line 2", "not a JSON object"]),
        (
            "t.json",
            "[{\"sex\":\"m\",\"age\":1,\"count\":1},{\"sex\":\"m\",\"count\":1}]",
            &["row 2", "`age`", "it has no value"],
        ),
        ("t.json", "{\"a\":1}", &["is no list of objects"]),
    ] {
        project.write(name, text);
        project.run(&["run", "w", "--file", name]).exits(1).says(words);
    }
    // Without a row there is nothing to say.
    project.write("t.csv", "sex,age,count\n");
    assert_eq!(output(&project, "t.csv")["rows"], json!([]));
}

#[test]
fn what_stands_where_a_value_is_missing_is_said_by_the_step() {
    let project = lab();
    project.write("t.csv", "sex,age,count\n,NA,1\nm,-,2\n");
    step(
        &project,
        "passengers",
        "{ rows: \"${trigger.file}\", fill: { age: NaN, sex: none }, nulls: [\"NA\", \"-\", \"\"] }",
    );
    project.run(&["check"]).ok();
    let output = output(&project, "t.csv");
    assert_eq!(output["outputs"]["twice"], json!([["NaN"], ["NaN"]]));
    assert_eq!(output["outputs"]["said"], json!([["none"], ["m"]]));
    step(&project, "passengers", "{ rows: \"${trigger.file}\", fill: { agee: 1 } }");
    project.run(&["run", "w", "--file", "t.csv"]).exits(1).says(&["`fill` names the column `agee`"]);
    step(&project, "passengers", "{ rows: \"${trigger.file}\", fill: { age: old }, nulls: [\"NA\", \"-\", \"\"] }");
    project.run(&["run", "w", "--file", "t.csv"]).exits(1).says(&["line 2", "column `age`", "\"old\" is not one"]);
}

#[test]
fn a_column_with_the_name_of_an_output_is_not_lost() {
    let project = lab();
    project.write("t.csv", "y,a,b,c\n9,1,2,3\n");
    step(&project, "wide", "{ x: { rows: \"${trigger.file}\", columns: [a, b, c] } }");
    project.run(&["run", "w", "--file", "t.csv"]).exits(1).says(&["a column `y`", "keep"]);
    step(&project, "wide", "{ x: { rows: \"${trigger.file}\", columns: [a, b, c], keep: [a] } }");
    assert_eq!(output(&project, "t.csv")["rows"], json!([{"a": 1, "y": [1.0, 2.0, 3.0]}]));
}

#[test]
fn many_rows_come_back_as_a_file_of_json_lines() {
    let project = lab();
    let rows: String = (0..2_000).map(|at| format!("{at},{at},{at}\n")).collect();
    project.write("t.csv", format!("a,b,c\n{rows}"));
    step(&project, "wide", "{ x: { rows: \"${trigger.file}\", columns: [a, b, c] } }");
    let output = output(&project, "t.csv");
    let text = project.artifact(output["rows"]["artifact"].as_str().unwrap());
    assert_eq!(text.lines().count(), 2_000);
    assert_eq!(text.lines().nth(7), Some(r#"{"a":7,"b":7,"c":7,"y":[7.0,7.0,7.0]}"#));
    // And go on from there.
    project.workflow(
        "w",
        "steps:\n  s: { model: wide.onnx, engine: rten, inputs: { x: { rows: \"${trigger.file}\", columns: [a, b, c] } } }\n  \
         t: { needs: [s], model: wide.onnx, engine: rten, inputs: { x: { rows: \"${steps.s.rows}\", columns: [c, b, a], keep: [a] } } }\n",
    );
    let again = project.run(&["run", "w", "--file", "t.csv", "--json"]).ok().json();
    assert!(again["outputs"]["t"]["rows"]["artifact"].is_string(), "{again:#}");
}

#[test]
fn keys_that_mean_nothing_are_found_before_a_run() {
    let project = lab();
    for (inputs, words) in [
        ("{ rows: \"${trigger.file}\", colums: {} }", &["TS-0864", "not `colums`", "did you mean `columns`?"][..]),
        ("{ rows: \"${trigger.file}\", columns: { agee: a } }", &["TS-0864", "no input `agee`", "did you mean `age`?"]),
    ] {
        step(&project, "passengers", inputs);
        project.run(&["check"]).exits(1).says(words);
    }
    step(&project, "wide", "{ x: { rows: \"${trigger.file}\", column: [a] } }");
    project.run(&["check"]).exits(1).says(&["TS-0864", "the input `x`", "not `column`"]);
}
