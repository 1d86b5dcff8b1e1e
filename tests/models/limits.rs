//! Models that do not end, and files that are more than is read or other than they seem.

use crate::{onnx, project, runtime_of};

const FAST: &str = "[limits]\nwall = \"1s\"\n";

#[test]
fn predict_ends_at_the_limit_of_a_run() {
    let runtime = runtime_of("a run at its limit");
    let project = project(&format!("{FAST}{runtime}"));
    project.write("m.onnx", onnx::rounds());
    for engine in ["rten", "onnxruntime"] {
        if engine == "onnxruntime" && runtime.is_empty() {
            continue;
        }
        let predict = |rounds: &str| {
            let rounds = format!("rounds={rounds}");
            project.run(&["model", "predict", "m.onnx", "--engine", engine, "--input", &rounds, "--input", "x=[3]"])
        };
        assert_eq!(predict("2").ok().stdout.trim(), "{\"y\":[3.0]}");
        predict("2000000000").exits(1).says(&["error[TS-0512]", "stopped at its deadline"]);
    }
}

#[test]
fn a_model_that_never_ends_is_found_by_check() {
    let project = project(FAST);
    project.write("m.onnx", onnx::endless());
    let steps = "  a: { model: m.onnx, inputs: { x: [1] } }\n  b: { model: m.onnx, inputs: { x: [2] } }\n";
    project.workflow("w", &format!("steps:\n{steps}"));
    let ran = project.run(&["check"]).exits(1).says(&["TS-0508", "did not end within 1 s", "2 problems"]);
    assert!(!ran.stderr.contains("no problems"), "{ran}");
    project.run(&["run", "w"]).exits(1).says(&["TS-0508"]);
    project.run(&["model", "inspect", "m.onnx"]).ok().prints(&["did not end within 1 s"]);
    project.run(&["model", "predict", "m.onnx", "--input", "x=[1]"]).exits(3).says(&["TS-0508", "selftest"]);
}

#[test]
fn what_trackside_cannot_carry_is_not_called_damage() {
    let project = project("");
    for (kind, what) in [(4, "a sequence"), (5, "a map"), (8, "a sparse tensor"), (9, "an optional value")] {
        let node = onnx::node("", "Identity", &["y0"], &["y"]);
        let inputs = [onnx::other("odd", kind), onnx::value("y0", onnx::FLOAT, &[1])];
        let model = onnx::model(&onnx::graph(&[node], &[], &inputs, &[onnx::value("y", onnx::FLOAT, &[1])]));
        told(&project, &model, "TS-0540", &[&format!("\"odd\" is {what}")]);
    }
    // float8e4m3fn, int4, uint4, float4e2m1.
    for (element, what) in [(17, "float8e4m3fn"), (22, "int4"), (21, "uint4"), (23, "float4e2m1")] {
        let node = onnx::node("", "Identity", &["x"], &["y"]);
        let (input, output) = (onnx::value("x", element, &[1]), onnx::value("y", element, &[1]));
        told(&project, &onnx::model(&onnx::graph(&[node], &[], &[input], &[output])), "TS-0540", &[what, "Cast"]);
    }
    let mut inner = onnx::graph(&[], &[], &[], &[]);
    for _ in 0..16 {
        inner = onnx::graph(&[onnx::node_with("If", &["c"], &["y"], "then_branch", &inner)], &[], &[], &[]);
    }
    let model = onnx::model(&inner);
    project.write("m.onnx", &model);
    let ran = project.run(&["model", "inspect", "m.onnx"]).exits(1).says(&["TS-0541", "nest deeper than 16"]);
    assert!(!ran.stderr.contains("copied whole"), "{ran}");
}

#[track_caller]
fn told(project: &crate::support::Project, model: &[u8], code: &str, words: &[&str]) {
    project.write("m.onnx", model);
    let ran = project.run(&["model", "predict", "m.onnx", "--input", "x=[1]"]).exits(3).says(&[code]).says(words);
    assert!(!ran.stderr.contains("copied whole"), "{ran}");
    project.workflow("w", "steps:\n  a: { model: m.onnx, inputs: { x: [1] } }\n");
    project.run(&["check"]).exits(1).says(&[code]).says(words);
    // It is a model: looking at it is possible.
    project.run(&["model", "inspect", "m.onnx"]).ok();
}
