//! Golden vectors: which engine made them.

use crate::{
    MODEL, SAMPLE, onnx, project,
    support::{Project, optional},
};

const SELFTEST: &str = "made.safetensors";

/// A project whose model has a self-test file, on this engine.
fn golden(selftest: &str, engine: &str, more: &str) -> Project {
    let config =
        format!("{more}\n[models.pump]\npath = \"{MODEL}\"\nselftest = \"{selftest}\"\nengine = \"{engine}\"\n");
    let project = project(&config);
    let x = "inputs: { x: [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]] }";
    project.workflow("w", &format!("steps:\n  a:\n    model: pump\n    {x}\n"));
    project
}

fn make(project: &Project, engine: &str) {
    let input = format!("x=@{SAMPLE}");
    let arguments = ["model", "predict", MODEL, "--engine", engine, "--input", &input, "--selftest", SELFTEST];
    project.run(&arguments).ok().says(&["Wrote the self-test file", &format!("made on {engine} ")]);
}

/// The sample with this metadata, `SELFTEST`.
fn write_with(project: &Project, metadata: &str) {
    let bytes = std::fs::read(project.path(SAMPLE)).unwrap();
    // safetensors: length of the header, header, data.
    let (length, rest) = bytes.split_at(8);
    let (header, data) = rest.split_at(usize::try_from(u64::from_le_bytes(length.try_into().unwrap())).unwrap());
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    header.as_object_mut().unwrap().remove("__metadata__");
    if !metadata.is_empty() {
        header["__metadata__"] = serde_json::from_str(metadata).unwrap();
    }
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    project.write(SELFTEST, [&length[..], header.as_bytes(), data].concat());
}

#[test]
fn vectors_of_the_same_engine_pass_without_a_word() {
    let project = golden(SELFTEST, "rten", "");
    make(&project, "rten");
    let ran = project.run(&["check"]).ok();
    assert!(!ran.stderr.contains("warning"), "{ran}");
    let first = std::fs::read(project.path(SELFTEST)).unwrap();
    make(&project, "rten");
    assert_eq!(std::fs::read(project.path(SELFTEST)).unwrap(), first);
}

#[test]
fn vectors_of_another_engine_are_told_by_check() {
    let project = golden(SELFTEST, "rten", "");
    for (metadata, words) in [
        ("", &["does not say on which engine", "--selftest"][..]),
        (r#"{ "format": "np" }"#, &["does not say on which engine"]),
        (r#"{ "engine": "onnxruntime 1.32.0" }"#, &["made on onnxruntime 1.32.0", "runs on rten"]),
        (r#"{ "engine": "rten 0.1.0" }"#, &["made on rten 0.1.0", "runs on rten"]),
        (r#"{ "engine": "pytorch 2.9" }"#, &["made on pytorch 2.9", "runs on rten"]),
    ] {
        write_with(&project, metadata);
        project.run(&["check"]).ok().says(&["warning[TS-0543]", "workflows/w.yaml:5:5"]).says(words);
        let told = project.run(&["check", "--json"]).ok().json();
        assert_eq!(told["workflows"][0]["warnings"][0]["code"], "TS-0543", "{told:#}");
        project.run(&["model", "inspect", "pump"]).ok().prints(&["TS-0543"]).prints(words);
        // It runs all the same.
        project.run(&["run", "w"]).ok();
    }
    // A model without golden vectors has none that could be of another engine.
    project.workflow(
        "w",
        &format!(
            "steps:\n  a: {{ model: {MODEL}, engine: rten, inputs: {{ x: [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]] }} }}\n"
        ),
    );
    let ran = project.run(&["check"]).ok();
    assert!(!ran.stderr.contains("TS-0543"), "{ran}");
}

#[test]
fn a_step_on_another_engine_than_the_vectors_is_told() {
    let Some(library) = optional::onnxruntime("golden vectors of another engine") else { return };
    let project = golden(SELFTEST, "auto", &format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    make(&project, "onnxruntime");
    let ran = project.run(&["check"]).ok();
    assert!(!ran.stderr.contains("warning"), "{ran}");
    let x = "inputs: { x: [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]] }";
    project.workflow("w", &format!("steps:\n  a: {{ model: pump, engine: rten, {x} }}\n"));
    project.run(&["check"]).ok().says(&["TS-0543", "made on onnxruntime", "runs on rten"]);
}

#[test]
fn vectors_of_texts_are_written_and_compared_on_both_engines() {
    let engines = |project: &Project, engine: &str| {
        let input = "x=[[\"a\"], [\"b\"], [\"ü \\\" \\n\"]]";
        let arguments = ["model", "predict", "words.onnx", "--engine", engine, "--input", input];
        let told = project.run(&[&arguments[..], &["--selftest", SELFTEST, "--json"]].concat()).ok().json();
        assert_eq!(told["outputs"]["y"], serde_json::json!([["one"], ["two"], ["?"]]), "{told:#}");
        let add = ["model", "add", "words", "words.onnx", "--engine", engine, "--golden"];
        project.run(&[&add[..], &[SELFTEST]].concat()).ok().says(&["gives its golden vectors on"]);
        // What it wrote is taken as an input, too.
        let own = format!("x=@{SELFTEST}");
        let again = [&arguments[..5], &["--input", &own, "--json"]].concat();
        assert_eq!(project.run(&again).ok().json()["outputs"], told["outputs"]);
        // A letter of what must come is another one.
        let mut wrong = std::fs::read(project.path(SELFTEST)).unwrap();
        let place = wrong.windows(3).position(|three| three == b"two").unwrap();
        wrong[place] = b'T';
        project.write("wrong.safetensors", wrong);
        let refused = project.run(&[&add[..], &["wrong.safetensors"]].concat()).exits(3);
        refused.says(&["error[TS-0508]", "output \"y\"", "element 1 is \"two\" instead of \"Two\""]);
    };
    let plain = project("");
    plain.write("words.onnx", onnx::words());
    engines(&plain, "rten");
    let Some(library) = optional::onnxruntime("golden vectors of texts on ONNX Runtime") else { return };
    let other = project(&format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    other.write("words.onnx", onnx::words());
    engines(&other, "onnxruntime");
}

#[test]
fn the_examples_say_what_made_their_vectors() {
    for example in ["pump-watch", "file-intake"] {
        let project = Project::example(example, "");
        let ran = project.run(&["check"]);
        assert!(!ran.stderr.contains("does not say on which engine"), "{ran}");
    }
}
