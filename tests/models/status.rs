//! What is in service, and loading anew.

use serde_json::json;

use crate::{
    MODEL, onnx, project,
    support::{optional, wait_until},
};

#[test]
fn the_node_tells_what_is_in_service_and_what_bounds_it() {
    let project = project(&format!(
        "[engine]\nprefer = \"rten\"\n[models.pump]\npath = \"{MODEL}\"\nload = \"start\"\nqueue = 7\nrate = 5\n[models.other]\nqueue = 9\n"
    ));
    project.run(&["model", "status"]).exits(3).says(&["no node"]);
    let _node = project.serve();
    wait_until("the model is loaded at the start", || {
        let models = project.run(&["--json", "model", "status", "pump"]).ok().json();
        (models[0]["versions"][0]["state"] == "ready").then_some(())
    });
    let models = project.run(&["--json", "model", "status"]).ok().json();
    assert_eq!(models.as_array().unwrap().len(), 1, "a table without a path is no model: {models:#}");
    let (version, limits) = (&models[0]["versions"][0], &models[0]["limits"]);
    assert_eq!((&version["version"], &version["aliases"][0]), (&1.into(), &"champion".into()), "{models:#}");
    assert!(version["engine"].as_str().unwrap().starts_with("rten ") && version["alone_us"].as_u64().is_some());
    assert_eq!((&limits["queue"], &limits["rate"], &limits["at_start"]), (&7.into(), &5.into(), &true.into()));
    project.run(&["model", "status", "pump"]).ok().prints(&["ready on rten", "queue", "7", "Limits"]);
    // The settings of a model that comes into the registry later hold at once.
    project.run(&["model", "add", "other", MODEL]).ok();
    let models = project.run(&["--json", "model", "status", "other"]).ok().json();
    assert_eq!((&models[0]["limits"]["queue"], &models[0]["versions"][0]["state"]), (&9.into(), &"not-loaded".into()));
    project.run(&["model", "load", "other@1"]).ok().says(&["other@1 is loaded on rten"]);
    let models = project.run(&["--json", "model", "status", "other"]).ok().json();
    assert_eq!(models[0]["versions"][0]["state"], "ready");
    project.run(&["model", "load", "othre"]).exits(2).says(&["TS-0611", "did you mean `other`?"]);
}

#[test]
fn a_file_that_changes_is_what_the_next_run_of_a_step_asks() {
    let project = project("[engine]\nprefer = \"rten\"\n[models.declared]\npath = \"one.onnx\"\n");
    project.write("one.onnx", onnx::one_operator("", "Relu"));
    project.write("workflows/two.onnx", onnx::one_operator("", "Relu"));
    let x = "inputs: { x: [-1, 2, -3, 4] }";
    let steps = format!("a: {{ model: declared, {x} }}\n  b: {{ model: workflows/two.onnx, {x} }}");
    project.workflow("w", &format!("steps:\n  {steps}\n"));
    let node = project.serve();
    let y = || {
        let view = project.wait_end(&node.start_run("w"));
        assert_eq!(view["state"], "succeeded", "{view:#}");
        ["a", "b"].map(|step| view["outputs"][step]["outputs"]["y"].clone())
    };
    let (relu, abs) = (json!([0.0, 2.0, 0.0, 4.0]), json!([1.0, 2.0, 3.0, 4.0]));
    assert_eq!(y(), [relu.clone(), relu]);
    for file in ["one.onnx", "workflows/two.onnx"] {
        project.write("beside", onnx::one_operator("", "Abs"));
        std::fs::rename(project.path("beside"), project.path(file)).unwrap();
    }
    wait_until("the changed files answer", || (y() == [abs.clone(), abs.clone()]).then_some(()));
}

#[test]
fn another_engine_computes_the_golden_vectors_again() {
    let Some(library) = optional::onnxruntime("golden vectors on another engine") else { return };
    let project = project("[engine]\nprefer = \"rten\"\n");
    project.run(&["model", "add", "pump", MODEL]).ok();
    let tested = || project.run(&["--json", "model", "list", "pump"]).ok().json()[0]["versions"][0]["engine"].clone();
    assert!(tested().as_str().unwrap().starts_with("rten "));
    let entries = || project.run(&["--json", "model", "history", "pump"]).ok().json().as_array().unwrap().len();
    let before = entries();
    // The same engine: a start writes nothing about the model.
    drop(project.serve());
    assert_eq!(entries(), before);
    project.write("trackside.toml", format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    let _node = project.serve();
    wait_until("it is tested on ONNX Runtime", || tested().as_str()?.starts_with("onnxruntime ").then_some(()));
    assert_eq!(entries(), before + 1);
    project.run(&["model", "history", "pump"]).ok().prints(&["tested on onnxruntime", "the start"]);
}
