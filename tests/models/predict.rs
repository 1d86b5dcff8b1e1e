//! `trackside model inspect`, `trackside model predict`, `trackside engine list`

use serde_json::{Value, json};

use crate::{
    MODEL, SAMPLE, onnx, project,
    support::{Project, optional},
};

/// The scores of the sample on an engine.
#[track_caller]
fn scores(project: &Project, engine: &str) -> Vec<f64> {
    let input = format!("x=@{SAMPLE}");
    let told = project.run(&["model", "predict", MODEL, "--input", &input, "--engine", engine, "--json"]).ok().json();
    assert!(told["engine"].as_str().unwrap().starts_with(engine), "{told:#}");
    assert_eq!(told["shapes"]["score"], json!({ "element": "float32", "shape": [9] }), "{told:#}");
    let scores = told["outputs"]["score"].as_array().unwrap();
    scores.iter().map(|score| score.as_f64().unwrap()).collect()
}

/// What the sample's file says must come out.
fn expected(project: &Project) -> Vec<f64> {
    let bytes = std::fs::read(project.path(SAMPLE)).unwrap();
    // safetensors: length of the header, header, data.
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let place = |index: usize| usize::try_from(header["out.score"]["data_offsets"][index].as_u64().unwrap()).unwrap();
    let data = &bytes[8 + length..][place(0)..place(1)];
    data.chunks_exact(4).map(|four| f64::from(f32::from_le_bytes(four.try_into().unwrap()))).collect()
}

#[track_caller]
fn are_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1.0), "{found} is not {expected}");
    }
}

#[test]
fn the_built_in_engine_gives_the_numbers_of_the_sample() {
    let project = project("");
    are_close(&scores(&project, "rten"), &expected(&project));
}

#[test]
fn onnx_runtime_gives_the_numbers_of_the_sample() {
    let Some(library) = optional::onnxruntime("model predict on ONNX Runtime") else { return };
    let project = project(&format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    are_close(&scores(&project, "onnxruntime"), &expected(&project));
    let engines = project.run(&["engine", "list", "--json"]).ok().json();
    let onnxruntime = engines.as_array().unwrap().iter().find(|engine| engine["kind"] == "onnxruntime").unwrap();
    assert_eq!(onnxruntime["available"], true, "{engines:#}");
    // What the built-in engine lacks runs here, and is chosen by itself.
    project.write("ml.onnx", onnx::in_sequence());
    let told = project.run(&["model", "predict", "ml.onnx", "--input", "x=[-1, 0, 0.5, 2]", "--json"]).ok().json();
    assert_eq!(told["outputs"]["y"], json!([-1.0, 0.0, 0.5, 2.0]), "{told:#}");
}

#[test]
fn onnx_runtime_leaves_nothing_behind_and_has_no_session_to_report() {
    // Its packages carry a telemetry client that notes a session in the folder for temporary files and reports it.
    let Some(library) = optional::onnxruntime("what ONNX Runtime leaves behind") else { return };
    let project = project(&format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    let temp = tempfile::tempdir().unwrap();
    let arguments = ["model", "predict", MODEL, "--input", &format!("x=@{SAMPLE}"), "--engine", "onnxruntime"];
    project.command(&arguments).env("TMPDIR", temp.path()).run().ok();
    let left: Vec<_> = std::fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_list_becomes_a_tensor_and_outputs_become_a_file() {
    let project = project("");
    project.write("relu.onnx", onnx::one_operator("", "Relu"));
    let predict = |input: &str, more: &[&str]| {
        project.run(&[&["model", "predict", "relu.onnx", "--engine", "rten", "--input", input], more].concat())
    };
    assert_eq!(predict("x=[-1, 0, 0.5, 2]", &["--json"]).ok().json()["outputs"]["y"], json!([0.0, 0.0, 0.5, 2.0]));
    predict("x=[-1, 0, 0.5, 2]", &["--output", "y.safetensors"]).ok();
    // The outputs of one call are inputs of the next.
    assert_eq!(predict("x=@y.safetensors", &["--json"]).ok().json()["outputs"]["y"], json!([0.0, 0.0, 0.5, 2.0]));
}

#[test]
fn inputs_that_do_not_fit_are_told_with_what_the_model_takes() {
    let project = project("");
    project.write("relu.onnx", onnx::one_operator("", "Relu"));
    for (inputs, words) in [
        (&[][..], &["TS-0841", "--input 'x=…'", "float32"][..]),
        (&["x"], &["TS-0842", "NAME=VALUE"]),
        (&["z=[1]"], &["TS-0843", "z", "--input 'x=…'"]),
        (&["x=[1,"], &["TS-0843", "@FILE"]),
        (&["x=[1, 2]"], &["x", "4"]),
        (&["x=[[1, 2], [3]]"], &["TS-0843", "x"]),
        (&["x=\"text\""], &["TS-0843", "x"]),
        (&["x=@none.json"], &["TS-0843", "none.json"]),
        (&["x=@relu.onnx.safetensors"], &["TS-0843", "relu.onnx.safetensors"]),
    ] {
        let mut arguments = vec!["model", "predict", "relu.onnx", "--engine", "rten"];
        inputs.iter().for_each(|input| arguments.extend(["--input", input]));
        let ran = project.run(&arguments).exits(2).says(words);
        assert_eq!(ran.stdout, "", "{ran}");
    }
}

#[test]
fn inspect_shows_the_graph_and_what_each_engine_makes_of_it() {
    let project = project("[models.pump]\npath = \"models/pump-anomaly.onnx\"\n");
    for name in [MODEL, "pump"] {
        let told = project.run(&["model", "inspect", name, "--json"]).ok().json();
        assert_eq!(
            (&told["inputs"][0]["name"], &told["outputs"][0]["name"]),
            (&"x".into(), &"score".into()),
            "{told:#}"
        );
        let engines = told["engines"].as_array().unwrap();
        let rten = engines.iter().find(|engine| engine["engine"] == "rten").unwrap();
        assert_eq!(rten["runs"], true, "{told:#}");
    }
    project.run(&["model", "inspect", "pump"]).ok().prints(&["float32", "rten", "self-test passed"]);
    let engines = project.run(&["engine", "list", "--json"]).ok().json();
    let rten = engines.as_array().unwrap().iter().find(|engine| engine["kind"] == "rten").unwrap();
    assert_eq!(rten["available"], true, "{engines:#}");
}
