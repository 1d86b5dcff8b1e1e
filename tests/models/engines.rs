//! `engine:` at a step: the engine that it names runs it, or nothing does.

use serde_json::{Value, json};

use crate::{
    MODEL, onnx, project,
    support::{Project, optional, project::step},
};

/// A config in which ONNX Runtime is not there.
const MISSING: &str = "[engine]\nonnxruntime = \"lib/none.so\"\n";
const X: &str = "inputs: { x: [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]] }";

#[track_caller]
fn run(project: &Project, expected: i32) -> Value {
    project.run(&["run", "w", "--json"]).exits(expected).json()
}

#[test]
fn a_step_that_names_an_engine_runs_there_or_not_at_all() {
    let project = project(MISSING);
    for (engine, expected) in [("", 0), ("auto", 0), ("rten", 0), ("onnxruntime", 1)] {
        let line = if engine.is_empty() { String::new() } else { format!("    engine: {engine}\n") };
        project.workflow("w", &format!("steps:\n  a:\n    model: {MODEL}\n{line}    {X}\n"));
        let checked = project.run(&["check"]).exits(expected);
        let view = run(&project, expected);
        if expected == 0 {
            assert!(view["outputs"]["a"]["engine"].as_str().unwrap().starts_with("rten "), "{view:#}");
            continue;
        }
        // The place is the line that asks for it.
        checked.says(&["TS-0504", "workflows/w.yaml:6:5", "lib/none.so"]);
        let error = &step(&view, "a")["error"];
        assert_eq!(error["code"], "model-unavailable", "{view:#}");
        assert!(error["message"].as_str().unwrap().contains("TS-0504"), "{view:#}");
    }
}

#[test]
fn a_step_has_the_last_word_over_the_config() {
    let config = format!("{MISSING}[models.pump]\npath = \"{MODEL}\"\nengine = \"onnxruntime\"\n");
    let project = project(&config);
    project.workflow("w", &format!("steps:\n  a: {{ model: pump, {X} }}\n"));
    project.run(&["check"]).exits(1).says(&["TS-0504"]);
    for engine in ["rten", "auto"] {
        project.workflow("w", &format!("steps:\n  a: {{ model: pump, engine: {engine}, {X} }}\n"));
        project.run(&["check"]).ok();
        let view = run(&project, 0);
        assert!(view["outputs"]["a"]["engine"].as_str().unwrap().starts_with("rten "), "{view:#}");
    }
}

#[test]
fn steps_of_one_run_may_use_one_model_on_two_engines() {
    let Some(library) = optional::onnxruntime("one model on two engines") else { return };
    let project = project(&format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    let steps = ["onnxruntime", "rten", "auto"]
        .map(|engine| format!("  {engine}: {{ model: {MODEL}, engine: {engine}, {X} }}\n"))
        .concat();
    project.workflow("w", &format!("steps:\n{steps}  plain: {{ model: {MODEL}, {X} }}\n"));
    let checked = project.run(&["check", "--json"]).ok().json();
    assert_eq!(checked["workflows"][0]["models"].as_array().unwrap().len(), 2, "{checked:#}");
    let view = run(&project, 0);
    for (id, engine) in
        [("onnxruntime", "onnxruntime "), ("rten", "rten "), ("auto", "onnxruntime "), ("plain", "onnxruntime ")]
    {
        let step = step(&view, id);
        assert!(view["outputs"][id]["engine"].as_str().unwrap().starts_with(engine), "{id}: {view:#}");
        assert!(step["report"]["engine"].as_str().unwrap().starts_with(engine), "{id}: {view:#}");
    }
    // Doing them again takes the same engines.
    project.run(&["replay", view["run"].as_str().unwrap()]).ok().says(&["4 steps done again, every output identical"]);
}

#[test]
fn what_is_no_engine_and_no_place_for_one_is_told() {
    let project = project("");
    for (step, words) in [
        (format!("model: {MODEL}, engine: tensorflow, {X}"), &["TS-0103", "tensorflow", "onnxruntime"][..]),
        (format!("model: {MODEL}, engine: null, {X}"), &["TS-0103", "workflows/w.yaml:4"]),
        (format!("model: {MODEL}, engine: [rten], {X}"), &["workflows/w.yaml:4"]),
        ("plugin: echo, engine: rten, with: { value: 1 }".to_owned(), &["TS-0102", "`engine` is for models"]),
        ("workflow: other, engine: rten".to_owned(), &["TS-0102", "`engine` is for models"]),
    ] {
        project.workflow("w", &format!("steps:\n  a: {{ {step} }}\n"));
        project.run(&["check"]).exits(1).says(words);
    }
    // A handler is a step, too.
    let handler = format!("finally:\n  always: {{ model: {MODEL}, engine: rten, {X} }}\n");
    project.workflow("w", &format!("steps:\n  a: {{ plugin: echo, with: {{ value: 1 }} }}\n{handler}"));
    project.run(&["check"]).ok();
    let view = run(&project, 0);
    assert!(step(&view, "finally.always")["report"]["engine"].as_str().unwrap().starts_with("rten "), "{view:#}");
}

#[test]
fn a_refusal_of_the_built_in_engine_tells_of_the_onnx_runtime_that_is_there() {
    let arguments = ["model", "predict", "ml.onnx", "--engine", "rten", "--input", "x=[1, 2, 3, 4]"];
    let missing = project(MISSING);
    missing.write("ml.onnx", onnx::in_sequence());
    missing.run(&arguments).exits(3).says(&["TS-0506", "SequenceConstruct", "trackside engine install"]);
    let Some(library) = optional::onnxruntime("a refusal beside ONNX Runtime") else { return };
    let there = project(&format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    there.write("ml.onnx", onnx::in_sequence());
    let ran = there.run(&arguments).exits(3).says(&[
        "TS-0506",
        "SequenceConstruct",
        "--engine onnxruntime",
        "is on this box",
    ]);
    assert!(!ran.stderr.contains("engine install"), "{ran}");
    // A workflow is told the same, where it asks for that engine.
    there.workflow("w", "steps:\n  a:\n    model: ml.onnx\n    engine: rten\n    inputs: { x: [1, 2, 3, 4] }\n");
    let ran = there.run(&["check"]).exits(1).says(&["TS-0506", "workflows/w.yaml:6:5", "engine: onnxruntime"]);
    assert!(!ran.stderr.contains("engine install"), "{ran}");
    there.workflow("w", "steps:\n  a:\n    model: ml.onnx\n    inputs: { x: [1, 2, 3, 4] }\n");
    there.run(&["check"]).ok();
}

#[test]
fn a_model_step_leaves_the_record_that_a_plugin_step_leaves() {
    let project = project("");
    project.workflow("w", &format!("steps:\n  a: {{ model: {MODEL}, engine: rten, {X} }}\n"));
    let view = run(&project, 0);
    let report = &step(&view, "a")["report"];
    let number = |key: &str| report[key].as_u64().unwrap_or_else(|| panic!("{key}: {view:#}"));
    assert!(number("wall_us") >= number("run_us"), "{view:#}");
    // Microseconds of the wall clock, between the run's begin and its end.
    let begun = number("began_us") / 1000;
    assert!(view["started_ms"].as_u64().is_none_or(|at| at <= begun), "{view:#}");
    let (kind, version) = report["engine"].as_str().unwrap().split_once(' ').unwrap();
    assert_eq!((kind, report["engine_version"].as_str().unwrap()), ("rten", version), "{view:#}");
    let id = view["run"].as_str().unwrap();
    project.run(&["runs", "show", id]).ok().prints(&["a: ", " wall"]);

    // One that fails leaves what is known of it.
    project.workflow("w", &format!("steps:\n  a: {{ model: {MODEL}, engine: rten, inputs: {{ x: \"${{[1]}}\" }} }}\n"));
    let view = run(&project, 1);
    let report = &step(&view, "a")["report"];
    assert!(report["engine_version"] == version && report["wall_us"].is_u64(), "{view:#}");
    assert_eq!(report["run_us"], json!(null), "{view:#}");
}

#[test]
fn another_engine_is_told_when_a_run_is_replayed() {
    let Some(library) = optional::onnxruntime("replay on another engine") else { return };
    let with = format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string());
    let project = project(&with);
    project.workflow("w", &format!("steps:\n  a: {{ model: {MODEL}, {X} }}\n"));
    let view = run(&project, 0);
    project.write("trackside.toml", MISSING);
    let told = project.run(&["replay", view["run"].as_str().unwrap()]).exits(1);
    assert!(told.stdout.contains("other version") && told.stdout.contains("rten"), "{told}");
}

#[test]
fn a_provider_that_is_not_there_is_told_and_the_processor_computes() {
    let Some(library) = optional::onnxruntime("execution providers that are not there") else { return };
    let library = library.display().to_string();
    let config = |engine: &str, model: &str| {
        format!("[engine]\nonnxruntime = {library:?}\n{engine}[models.pump]\npath = \"{MODEL}\"\n{model}")
    };
    let step = format!("steps:\n  a: {{ model: pump, {X} }}\n");
    let project = project(&config("providers = [\"openvino\", \"cpu\", \"cuda\"]\n", ""));
    project.workflow("w", &step);
    // What stands behind the processor is never asked.
    let checked = project.run(&["check"]).ok().says(&["TS-0546", "`openvino`"]);
    assert!(!checked.stderr.contains("`cuda`"), "{checked}");
    assert!(run(&project, 0)["outputs"]["a"]["engine"].as_str().unwrap().starts_with("onnxruntime "));
    // A model's own list holds before that of the box.
    project.write("trackside.toml", config("providers = [\"openvino\"]\n", "providers = [\"cuda\", \"xnnpack\"]\n"));
    let checked = project.run(&["check"]).ok().says(&["TS-0546", "`cuda`", "`xnnpack`"]);
    assert!(!checked.stderr.contains("`openvino`"), "{checked}");
    project.write("trackside.toml", config("providers = [\"gpu\"]\n", ""));
    project.run(&["check"]).exits(3).says(&["TS-0103", "did you mean `cpu`?"]);
}
