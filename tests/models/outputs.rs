//! Outputs that a model does not give: `check` says so before a run fails.

use crate::{
    onnx, project, runtime_of,
    support::{Project, optional},
};

const X: &str = "inputs: { x: [1, 2, 3, 4] }";

/// A workflow whose step `s` runs `model` and whose step `t` uses this.
fn using(project: &Project, model: &str, expression: &str) {
    let first = format!("  s: {{ model: {model}, {X} }}\n");
    let second = format!("  t:\n    needs: [s]\n    plugin: echo\n    with:\n      value: '${{{expression}}}'\n");
    project.workflow("w", &format!("steps:\n{first}{second}"));
}

#[test]
fn an_output_that_the_model_does_not_have_is_told_where_it_is_used() {
    let project = project("");
    project.write("m.onnx", onnx::one_operator("", "Relu"));
    for good in
        ["steps.s.outputs.y", "steps.s.outputs.y[0]", "steps.s.outputs[\"y\"]", "steps.s.outputs", "steps.s.engine"]
    {
        using(&project, "m.onnx", good);
        project.run(&["check"]).ok();
        project.run(&["run", "w"]).ok();
    }
    for bad in ["steps.s.outputs.z", "steps.s.outputs.z[0]", "steps.s.outputs[\"z\"]", "steps.s.outputs.z.a"] {
        using(&project, "m.onnx", bad);
        project.run(&["check"]).exits(1).says(&["TS-0542", "workflows/w.yaml:9:7", "no output `z`", "it gives y"]);
    }
    // Short of `outputs`.
    using(&project, "m.onnx", "steps.s.y");
    project.run(&["check"]).exits(1).says(&["TS-0104", "steps.s.y"]);
}

#[test]
fn every_place_for_an_expression_is_looked_at() {
    let project = project("");
    project.write("m.onnx", onnx::one_operator("", "Relu"));
    let s = format!("  s: {{ model: m.onnx, {X} }}\n");
    let echo = "plugin: echo, with: { value: 1 }";
    let after = |rest: &str| format!("steps:\n{s}  t: {{ needs: [s], {rest} }}\n");
    for text in [
        after(&format!("when: \"steps.s.outputs.nope[0] > 1\", {echo}")),
        after(&format!("foreach: \"${{steps.s.outputs.nope}}\", {echo}")),
        after(&format!("foreach: [1], when_item: \"steps.s.outputs.nope[0] > 1\", {echo}")),
        after(&format!("matrix: {{ a: \"${{steps.s.outputs.nope}}\" }}, {echo}")),
        after("model: m.onnx, inputs: { x: \"${steps.s.outputs.nope}\" }"),
        after("approval: { message: \"score ${steps.s.outputs.nope[0]}\" }"),
        after("plugin: echo, with: { value: { deep: [\"a ${steps.s.outputs.nope} b\"] } }"),
        format!("steps:\n{s}outputs: {{ score: \"${{steps.s.outputs.nope}}\" }}\n"),
        format!(
            "steps:\n{s}finally:\n  always: {{ plugin: echo, with: {{ value: \"${{steps.s.outputs.nope}}\" }} }}\n"
        ),
    ] {
        project.workflow("w", &text);
        let ran = project.run(&["check"]);
        assert!(ran.code() == 1 && ran.stderr.contains("TS-0542") && ran.stderr.contains("`nope`"), "{text}\n{ran}");
    }
}

#[test]
fn an_output_that_cannot_be_carried_is_refused_with_the_reason() {
    let project = project("");
    let helps = "OptionalGetElement";
    project.write("m.onnx", onnx::beside(onnx::other("pair", 9), "Optional"));
    using(&project, "m.onnx", "steps.s.outputs.pair");
    let ran = project.run(&["check"]);
    ran.exits(1).says(&["TS-0542", "\"pair\" is an optional value", "is left out", helps, "gives y"]);
    using(&project, "m.onnx", "steps.s.outputs.y");
    project.run(&["check"]).ok();
    project.run(&["model", "inspect", "m.onnx"]).ok().prints(&["pair", "is left out", helps]);
}

/// What `zipmap()` gives for the input of these workflows: an object a row, its keys the labels.
#[test]
fn the_maps_of_a_scikit_learn_classifier_come_as_a_list_of_objects() {
    let mut configs = vec![String::new()];
    if let Some(library) = optional::onnxruntime("a ZipMap") {
        configs.push(format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    }
    for config in configs {
        let project = project(&config);
        project.write("m.onnx", onnx::zipmap());
        using(&project, "m.onnx", "steps.s.outputs.output_probability[1][\"0\"]");
        project.run(&["check"]).ok();
        project.run(&["run", "w"]).ok();
        using(&project, "m.onnx", "steps.s.outputs.output_probabilities");
        project.run(&["check"]).exits(1).says(&["TS-0542", "did you mean `output_probability`?"]);
        let input = "x=[1, 2, 3, 4]";
        let printed = "\"output_probability\":[{\"0\":1.0,\"1\":2.0},{\"0\":3.0,\"1\":4.0}]";
        project.run(&["model", "predict", "m.onnx", "--input", input]).ok().prints(&[printed]);
        project.run(&["model", "inspect", "m.onnx"]).ok().prints(&["sequence(map(int64,float32))"]);
        let file = project.path("out.safetensors").display().to_string();
        project
            .run(&["model", "predict", "m.onnx", "--input", input, "--output", &file])
            .ok()
            .says(&["Wrote 1 tensor", "\"output_probability\" is no tensor"]);
    }
}

#[test]
fn inputs_that_can_only_fail_are_told_before_a_run() {
    let project = project("");
    project.write("m.onnx", onnx::one_operator("", "Relu"));
    for (inputs, words) in [
        ("{ x: [1, 2] }", &["TS-0864", "float32[4]", "float32[2]"][..]),
        ("{ x: [1, 2, 3, a] }", &["TS-0864", "\"a\" is not one"]),
        ("{ x: [[1, 2], [3, 4]] }", &["TS-0864", "float32[2,2]"]),
        ("{ x: [1, 2, 3, 1e39] }", &["TS-0864", "1e39"]),
        ("{}", &["TS-0864", "needs the input `x`"]),
        ("{ x: [1, 2, 3, 4], y: 1 }", &["TS-0864", "no input `y`"]),
    ] {
        project.workflow("w", &format!("steps:\n  s: {{ model: m.onnx, inputs: {inputs} }}\n"));
        project.run(&["check"]).exits(1).says(words);
        project.run(&["run", "w"]).exits(1);
    }
    // What data decides is left to the run.
    for inputs in ["\"${params.all}\"", "{ x: \"${params.all.x}\" }"] {
        let params = "params: { all: { type: object, default: { x: [1, 2, 3, 4] } } }\n";
        project.workflow("w", &format!("{params}steps:\n  s: {{ model: m.onnx, inputs: {inputs} }}\n"));
        project.run(&["check"]).ok();
        project.run(&["run", "w"]).ok();
    }
}

#[test]
fn what_holds_nothing_keeps_its_shape() {
    let runtime = runtime_of("empty tensors on ONNX Runtime");
    let project = project(&runtime);
    let one = |operator: &str, shape: &[u8], y: Vec<u8>| {
        let x = onnx::value("x", onnx::FLOAT, shape);
        onnx::model(&onnx::graph(&[onnx::node("", operator, &["x"], &["y"])], &[], &[x], &[y]))
    };
    let same = |shape: &[u8]| one("Neg", shape, onnx::value("y", onnx::FLOAT, shape));
    let found = || one("NonZero", &[4], onnx::value_of_rank("y", onnx::INT64, 2));
    for (model, x, y) in [
        (same(&[0]), "[]", "[]"),
        (same(&[0, 2]), "[]", "[]"),
        (same(&[2, 0]), "[[],[]]", "[[],[]]"),
        (found(), "[0,0,0,0]", "[[]]"),
        (found(), "[0,1,0,2]", "[[1,3]]"),
    ] {
        project.write("m.onnx", model);
        let engines = if runtime.is_empty() { &["rten"][..] } else { &["rten", "onnxruntime"] };
        for engine in engines {
            let input = format!("x={x}");
            let ran = project.run(&["model", "predict", "m.onnx", "--engine", engine, "--input", &input]).ok();
            assert_eq!(ran.stdout.trim(), format!("{{\"y\":{y}}}"), "{engine}");
            // The next step gets it as it is.
            let first = format!("  s: {{ model: m.onnx, engine: {engine}, inputs: {{ x: {x} }} }}\n");
            let second = "  t: { needs: [s], plugin: echo, with: { value: '${size(steps.s.outputs.y)}' } }\n";
            project.workflow("w", &format!("steps:\n{first}{second}"));
            let view = project.run(&["run", "w", "--json"]).ok().json();
            let rows = serde_json::from_str::<Vec<serde_json::Value>>(y).unwrap().len();
            assert_eq!(view["outputs"]["t"]["value"], rows, "{engine}: {view:#}");
        }
    }
}
