//! Models that can not be used.

use crate::{MODEL, onnx, project, support::project::step};

#[test]
fn a_file_that_is_no_model_is_told_as_such_by_every_command() {
    let project = project("");
    let whole = std::fs::read(project.path(MODEL)).unwrap();
    project.write("text.onnx", "not a model");
    project.write("empty.onnx", "");
    project.write("cut.onnx", &whole[..whole.len() / 2]);
    for file in ["text.onnx", "empty.onnx", "cut.onnx"] {
        project.run(&["model", "inspect", file]).exits(1).says(&["error[TS-0502]", file]);
        project.run(&["model", "predict", file, "--input", "x=[1]"]).exits(3).says(&["error[TS-0502]", file]);
        project.workflow("bad", &format!("steps:\n  a:\n    model: {file}\n    inputs: {{ x: [1] }}\n"));
        project.run(&["check"]).exits(1).says(&["TS-0502", "workflows/bad.yaml:5:"]);
    }
    std::fs::create_dir(project.path("folder.onnx")).unwrap();
    for file in ["folder.onnx", "missing.onnx"] {
        let ran = project.run(&["model", "predict", file, "--input", "x=[1]"]);
        assert!(ran.code() == 3 || ran.code() == 2, "{ran}");
        ran.says(&["error[TS-", file]);
    }
}

#[test]
fn a_model_that_fails_where_it_is_loaded_fails_its_run_and_leaves_the_others_running() {
    let project = project("[models.broken]\npath = \"broken.onnx\"\n[engine]\nprefer = \"rten\"\n");
    project.write("broken.onnx", "not a model");
    project.workflow("bad", "steps:\n  a: { model: broken, inputs: { x: [1] } }\n");
    project.workflow("good", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    let node = project.serve();
    let run = node.start_run("bad");
    let view = project.wait_end(&run);
    let message = step(&view, "a")["error"]["message"].as_str().unwrap();
    assert!(view["state"] == "failed" && message.contains("broken"), "{view:#}");
    let run = node.start_run("good");
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
    // Once it is mended, the next run takes it.
    project.write("broken.onnx", onnx::one_operator("", "Relu"));
    project.workflow("bad", "");
    let run = node.start_run("bad");
    let view = project.wait_end(&run);
    assert!(step(&view, "a")["error"]["code"] != "model-unavailable", "{view:#}");
}

#[test]
fn an_operator_that_the_built_in_engine_lacks_is_named_with_the_command_that_mends_it() {
    let project = project("[engine]\nonnxruntime = \"lib/none.so\"\n");
    project.write("ml.onnx", onnx::in_sequence());
    let arguments = ["model", "predict", "ml.onnx", "--engine", "rten", "--input", "x=[1, 2, 3, 4]"];
    project.run(&arguments).exits(3).says(&["error[TS-0506]", "SequenceConstruct", "trackside engine install"]);
    let told = project.run(&["model", "inspect", "ml.onnx", "--json"]).ok().json();
    let rten = told["engines"].as_array().unwrap().iter().find(|engine| engine["engine"] == "rten").unwrap().clone();
    assert_eq!(rten["runs"], false);
    assert!(rten["reason"].as_str().unwrap().contains("SequenceConstruct"), "{rten:#}");
}

#[test]
fn an_operator_that_nobody_has_is_refused_by_name() {
    let project = project("");
    project.write("odd.onnx", onnx::one_operator("", "NoSuchOperator"));
    project
        .run(&["model", "predict", "odd.onnx", "--engine", "rten", "--input", "x=[1]"])
        .exits(3)
        .says(&["NoSuchOperator"]);
}

#[test]
fn a_model_that_does_not_give_the_numbers_of_its_sample_is_refused() {
    let config = "[models.pump]\npath = \"models/pump-anomaly.onnx\"\nselftest = \"models/pump-anomaly.selftest.safetensors\"\nengine = \"rten\"\n";
    let project = project(config);
    project.run(&["model", "inspect", "pump"]).ok().prints(&["self-test passed"]);
    let mut sample = std::fs::read(project.path(crate::SAMPLE)).unwrap();
    // The last four bytes are the last score: another exponent.
    let place = sample.len() - 1;
    sample[place] ^= 0x02;
    project.write(crate::SAMPLE, sample);
    project.workflow("w", "steps:\n  a:\n    model: pump\n    inputs: { x: [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]] }\n");
    project.run(&["check"]).exits(1).says(&["TS-0508", "score"]);
    project.run(&["run", "w"]).exits(1).says(&["TS-0508"]);
}

#[test]
fn an_engine_that_is_configured_and_not_there_is_told_with_its_path() {
    let project = project("[engine]\nonnxruntime = \"lib/none.so\"\n");
    let arguments = ["model", "predict", MODEL, "--engine", "onnxruntime", "--input", "x=[1]"];
    project.run(&arguments).exits(3).says(&["error[TS-0504]", "lib/none.so"]);
    let engines = project.run(&["engine", "list", "--json"]).ok().json();
    let onnxruntime =
        engines.as_array().unwrap().iter().find(|engine| engine["kind"] == "onnxruntime").unwrap().clone();
    assert_eq!(onnxruntime["available"], false, "{engines:#}");
}
