//! Inputs that have a default in the model.

use serde_json::json;

use crate::{onnx, project, runtime_of, support::Project};

/// A project, and the engines that it has.
fn lab() -> (Project, Vec<&'static str>) {
    let config = runtime_of("inputs with a default on ONNX Runtime");
    let engines = if config.is_empty() { vec!["rten"] } else { vec!["rten", "onnxruntime"] };
    (project(&config), engines)
}

#[test]
fn predict_takes_them_and_does_without_them() {
    let (project, engines) = lab();
    project.write("m.onnx", onnx::scaled(8));
    for &engine in &engines {
        let predict = |inputs: &[&str]| {
            let mut arguments = vec!["model", "predict", "m.onnx", "--engine", engine, "--json"];
            inputs.iter().for_each(|input| arguments.extend(["--input", input]));
            project.run(&arguments)
        };
        let y = |inputs: &[&str]| predict(inputs).ok().json()["outputs"]["y"].clone();
        assert_eq!(y(&["x=[1, 2, 3, 4]"]), json!([2.0, 4.0, 6.0, 8.0]));
        let both = ["x=[1, 2, 3, 4]", "scale=[10]"];
        assert_eq!(y(&both), json!([10.0, 20.0, 30.0, 40.0]));
        predict(&["scale=[10]"]).exits(2).says(&["\"x\"", "it is missing", "it may be given scale (float32[1])"]);
        predict(&[]).exits(2).says(&["TS-0841", "--input 'x=…'", "with a default: --input 'scale=…'"]);
        predict(&["x=[1, 2, 3, 4]", "scale=[1, 2]"]).exits(2).says(&["\"scale\"", "float32[1]"]);
    }
}

#[test]
fn steps_give_them_and_leave_them_out() {
    let (project, engines) = lab();
    project.write("m.onnx", onnx::scaled(8));
    for &engine in &engines {
        let step_of = |inputs: &str| format!("{{ model: m.onnx, engine: {engine}, inputs: {{ {inputs} }} }}");
        let (with, without) = (step_of("x: [1, 2, 3, 4], scale: [10]"), step_of("x: [1, 2, 3, 4]"));
        project.workflow("w", &format!("steps:\n  with: {with}\n  without: {without}\n"));
        project.run(&["check"]).ok();
        let view = project.run(&["run", "w", "--json"]).ok().json();
        let y = |id: &str| view["outputs"][id]["outputs"]["y"].clone();
        assert_eq!((y("with"), y("without")), (json!([10.0, 20.0, 30.0, 40.0]), json!([2.0, 4.0, 6.0, 8.0])));
        project.workflow("w", &format!("steps:\n  a: {}\n", step_of("scale: [10]")));
        project.run(&["check"]).exits(1).says(&["TS-0864", "needs the input `x`"]);
    }
}

#[test]
fn inspect_lists_them_as_optional() {
    let (project, engines) = lab();
    project.write("m.onnx", onnx::scaled(8));
    let inputs =
        |project: &Project| project.run(&["model", "inspect", "m.onnx", "--json"]).ok().json()["inputs"].clone();
    let told = inputs(&project);
    let optional: Vec<_> = told.as_array().unwrap().iter().map(|port| (&port["name"], &port["optional"])).collect();
    assert_eq!(optional, [(&json!("x"), &json!(false)), (&json!("scale"), &json!(true))], "{told:#}");
    project
        .run(&["model", "inspect", "m.onnx"])
        .ok()
        .prints(&["scale  float32[1]", "optional, the model has a default"]);
    // Before version 4 of the format they are constants, as for ONNX Runtime.
    project.write("m.onnx", onnx::scaled(3));
    assert_eq!(inputs(&project).as_array().unwrap().len(), 1);
    for &engine in &engines {
        let arguments = ["model", "predict", "m.onnx", "--engine", engine, "--input", "x=[1, 2, 3, 4]"];
        assert_eq!(project.run(&arguments).ok().stdout.trim(), "{\"y\":[2.0,4.0,6.0,8.0]}");
        let ran = project.run(&[&arguments[..], &["--input", "scale=[1]"]].concat());
        ran.exits(2).says(&["scale", "TS-0843"]);
    }
}
