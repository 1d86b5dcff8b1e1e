//! Self-tests: which engine made a sample, and models that never end.

use std::path::Path;
use std::time::Duration;
use trackside_codes::Coded;

use crate::support::*;
use trackside_models::onnx::proto::{GraphProto, ModelProto};
use trackside_models::tensor_io::{read_safetensors_file, write_safetensors, write_safetensors_with};
use trackside_models::{
    EngineChoice, EngineKind, EngineSettings, Engines, MADE_ON, Model, ModelError, ModelSource, Tested,
};
use trackside_spec::Tensor;

fn sample() -> [(String, Tensor); 2] {
    [("in.x".to_owned(), f32s(&[1, 3], &[1.0; 3])), ("out.p".to_owned(), f32s(&[1, 2], &[0.25, 3.0]))]
}

fn load(lab: &Lab, choice: EngineChoice, sample: &Path) -> std::sync::Arc<Model> {
    let path = lab.write("model.onnx", &dense());
    let selftest = Some(sample.to_owned());
    let source = ModelSource { choice, selftest, sessions: 1, ..ModelSource::new("m", path) };
    lab.engines().load(&source).unwrap()
}

#[test]
fn a_sample_of_another_engine_is_told_and_one_of_the_same_is_not() {
    on_each_engine("who made the sample", |lab, choice| {
        let file = lab.path().join("sample.safetensors");
        write_safetensors(&file, &sample()).unwrap();
        let model = load(lab, choice, &file);
        let own = model.info().engine.to_string();
        assert_eq!(model.info().tested, Tested::Sample);
        let told =
            |model: &Model| model.info().warnings.iter().map(|one| (one.code, one.text.clone())).collect::<Vec<_>>();
        let [(code, text)] = &told(&model)[..] else { panic!("{:?}", told(&model)) };
        assert!(*code == "TS-0543" && text.contains("does not say") && text.contains(&own), "{text}");

        write_safetensors_with(&file, &sample(), (MADE_ON, &own)).unwrap();
        assert_eq!(read_safetensors_file(&file, &Default::default()).unwrap().metadata[MADE_ON], own);
        assert_eq!(told(&load(lab, choice, &file)), []);

        let kind = own.split(' ').next().unwrap();
        for other in ["pytorch 2.9.0", &format!("{kind} 0.0.1")] {
            write_safetensors_with(&file, &sample(), (MADE_ON, other)).unwrap();
            let [(code, text)] = &told(&load(lab, choice, &file))[..] else { panic!("{other}") };
            assert!(*code == "TS-0543" && text.contains(&format!("made on {other}")) && text.contains(&own), "{text}");
        }
        // Not a name, and no end of one.
        write_safetensors_with(&file, &sample(), (MADE_ON, " ")).unwrap();
        assert!(told(&load(lab, choice, &file))[0].1.contains("does not say"));
        write_safetensors_with(&file, &sample(), (MADE_ON, &"x".repeat(50_000))).unwrap();
        assert!(told(&load(lab, choice, &file))[0].1.len() < 1000);
    });
}

#[test]
fn a_sample_says_how_exact_it_is_meant() {
    let lab = Lab::new();
    let file = lab.path().join("sample.safetensors");
    let loads = |key: &str, text: &str| {
        let off = [("in.x".to_owned(), f32s(&[1, 3], &[1.0; 3])), ("out.p".to_owned(), f32s(&[1, 2], &[0.2525, 3.0]))];
        write_safetensors_with(&file, &off, (key, text)).unwrap();
        let path = lab.write("model.onnx", &dense());
        let selftest = Some(file.clone());
        let source = ModelSource { choice: EngineChoice::Rten, selftest, sessions: 1, ..ModelSource::new("m", path) };
        lab.engines().load(&source).map_err(|error| error.told())
    };
    // One in a hundred off: 2.5e-3 of 0.25.
    assert!(loads("other", "").unwrap_err().contains("1 of 2 values differ"));
    assert!(loads("rtol", "0.02").is_ok() && loads("atol", "3e-3").is_ok());
    assert!(loads("atol", " 0 ").unwrap_err().contains("1 of 2 values differ"));
    for wrong in ["", "much", "-1", "2", "NaN", "inf"] {
        let error = loads("rtol", wrong).unwrap_err();
        assert!(error.contains("TS-0509") && error.contains("a number from 0 to 1"), "{error}");
    }
}

#[test]
fn the_metadata_of_a_file_does_not_change_its_tensors() {
    let lab = Lab::new();
    let file = lab.path().join("sample.safetensors");
    write_safetensors(&file, &sample()).unwrap();
    let plain = read_safetensors_file(&file, &Default::default()).unwrap();
    write_safetensors_with(&file, &sample(), (MADE_ON, "onnxruntime 1.32.0")).unwrap();
    let first = std::fs::read(&file).unwrap();
    assert_eq!(read_safetensors_file(&file, &Default::default()).unwrap().tensors, plain.tensors);
    assert!(plain.metadata.is_empty());
    write_safetensors_with(&file, &sample(), (MADE_ON, "onnxruntime 1.32.0")).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), first, "the same bytes every time");
}

/// y = x after a loop that never ends; with `condition`, after one that goes on while x is not above 5.
fn endless(condition: bool) -> ModelProto {
    let go_on =
        if condition { node("LessOrEqual", &["v", "five"], &["c2"]) } else { node("Identity", &["c"], &["c2"]) };
    let body = GraphProto {
        name: Some("body".to_owned()),
        node: vec![go_on, node("Neg", &["v"], &["v2"])],
        input: vec![value("i", INT64, &[]), value("c", BOOL, &[]), value("v", FLOAT, &[])],
        output: vec![value("c2", BOOL, &[]), value("v2", FLOAT, &[])],
        ..Default::default()
    };
    let mut call = node("Loop", &["", "yes", "x"], &["y"]);
    call.attribute = vec![graph_attribute("body", body)];
    let mut graph = graph(vec![call], vec![value("x", FLOAT, &[])], vec![value("y", FLOAT, &[])]);
    graph.initializer = vec![raw("yes", BOOL, &[], vec![1]), constant("five", &[], &[5.0])];
    model(graph)
}

#[test]
fn a_self_test_that_does_not_end_fails() {
    on_each_engine("endless self-tests", |lab, choice| {
        let path = lab.write("model.onnx", &endless(false));
        let source =
            ModelSource { choice, sessions: 1, time: Duration::from_millis(200), ..ModelSource::new("m", path) };
        let error = lab.engines().load(&source).unwrap_err();
        assert_eq!(error.code(), "TS-0508", "{error}");
        let text = error.to_string();
        assert!(text.contains("did not end within 0.2 s") && text.contains("[limits] wall"), "{text}");
        assert!(text.contains("give it a `selftest` file"), "{text}");
    });
}

#[test]
fn without_onnx_runtime_a_model_that_never_ends_is_told_as_that() {
    let lab = Lab::new();
    let path = lab.write("model.onnx", &endless(false));
    for prefer in [EngineKind::OnnxRuntime, EngineKind::Rten] {
        let configured = Some("/nowhere/libonnxruntime.so".into());
        let settings = EngineSettings { configured, prefer, ..EngineSettings::new(lab.path().join("data")) };
        let source = ModelSource { sessions: 1, time: Duration::from_millis(200), ..ModelSource::new("m", &path) };
        let error = Engines::discover(settings).load(&source).unwrap_err();
        assert_eq!(error.code(), "TS-0508", "{error}");
        assert!(!error.to_string().contains("engine install"), "{error}");
    }
}

#[test]
fn a_model_that_ends_with_real_input_is_usable_with_a_sample() {
    on_each_engine("endless on made-up input", |lab, choice| {
        let path = lab.write("model.onnx", &endless(true));
        let sample = lab.path().join("sample.safetensors");
        let time = Duration::from_secs(1);
        let source = ModelSource { choice, sessions: 1, time, ..ModelSource::new("m", path) };
        assert!(matches!(lab.engines().load(&source).unwrap_err(), ModelError::SelfTest { .. }));
        let pair = [("in.x".to_owned(), f32s(&[], &[9.0])), ("out.y".to_owned(), f32s(&[], &[-9.0]))];
        write_safetensors(&sample, &pair).unwrap();
        let source = ModelSource { selftest: Some(sample.clone()), time: Duration::from_secs(60), ..source };
        assert_eq!(lab.engines().load(&source).unwrap().info().tested, Tested::Sample);
        // A sample that does not end is told as well.
        let pair = [("in.x".to_owned(), f32s(&[], &[1.0])), ("out.y".to_owned(), f32s(&[], &[1.0]))];
        write_safetensors(&sample, &pair).unwrap();
        let source = ModelSource { time: Duration::from_millis(200), ..source };
        let error = lab.engines().load(&source).unwrap_err();
        assert!(error.code() == "TS-0508" && error.to_string().contains("did not end"), "{error}");
    });
}
