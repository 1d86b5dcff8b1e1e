//! Loading models: the choice of the engine, self-tests, and files that are no models.

use crate::support::{self, *};
use trackside_codes::Coded;
use trackside_models::onnx::proto::{StringStringEntryProto, TensorProto, TypeProto, ValueInfoProto};
use trackside_models::onnx::{self, Dim};
use trackside_models::tensor_io::write_safetensors;
use trackside_models::{EngineChoice, EngineKind, EngineSettings, Engines, ModelError, ModelSource};
use trackside_spec::{Digest, Tensor};

fn with_sample(lab: &Lab, choice: EngineChoice, sample: &[(String, Tensor)]) -> Result<(), ModelError> {
    let path = lab.write("model.onnx", &dense());
    let file = lab.path().join("sample.safetensors");
    write_safetensors(&file, sample).unwrap();
    let source = ModelSource { choice, selftest: Some(file), sessions: 1, ..ModelSource::new("m", path) };
    lab.engines().load(&source).map(drop)
}

#[test]
fn auto_takes_onnxruntime_where_it_is_and_rten_where_it_is_preferred() {
    let lab = Lab::new();
    let path = lab.write("model.onnx", &dense());
    let source = ModelSource { sessions: 1, ..ModelSource::new("m", path) };
    let expected = if onnxruntime("auto prefers ONNX Runtime") { EngineKind::OnnxRuntime } else { EngineKind::Rten };
    assert_eq!(lab.engines().load(&source).unwrap().info().engine.kind, expected);
    let settings = EngineSettings { prefer: EngineKind::Rten, ..EngineSettings::new(lab.path()) };
    let model = Engines::discover(settings).load(&source).unwrap();
    assert_eq!(model.info().engine.to_string(), "rten 0.27.0");
}

#[test]
fn auto_falls_back_to_rten_for_a_file_that_is_newer_than_the_library() {
    if !onnxruntime("files newer than the library") {
        return;
    }
    let lab = Lab::new();
    let mut proto = dense();
    proto.ir_version = Some(99);
    assert_eq!(lab.load(EngineChoice::Auto, &proto).unwrap().info().engine.kind, EngineKind::Rten);
    let error = lab.load(EngineChoice::OnnxRuntime, &proto).unwrap_err();
    assert!(error.code() == "TS-0507" && error.to_string().contains("IR version"), "{error}");
    // When both refuse, the library's reason is the one to read.
    let mut proto = in_sequence();
    proto.ir_version = Some(99);
    assert_eq!(lab.load(EngineChoice::Auto, &proto).unwrap_err().code(), "TS-0507");
}

#[test]
fn the_version_that_is_recorded_for_rten_is_the_one_that_is_built_in() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
    let version = Lab::new().engines().rten().id().version;
    assert!(lock.contains(&format!("name = \"rten\"\nversion = \"{version}\"")), "{version}");
}

#[test]
fn an_operator_that_rten_lacks_is_named_with_the_remedy() {
    let lab = Lab::new();
    let error = lab.load(EngineChoice::Rten, &in_sequence()).unwrap_err();
    let ModelError::Unsupported { missing, .. } = &error else { panic!("{error}") };
    assert_eq!(missing, &["SequenceAt", "SequenceConstruct"]);
    let there = onnxruntime("an operator of its own");
    // Who has it already is not told to install it.
    let remedy = if there { "is on this box: take it with `--engine onnxruntime`" } else { "trackside engine install" };
    assert!(error.to_string().contains(remedy), "{error}");
    if there {
        let model = lab.load(EngineChoice::Auto, &in_sequence()).unwrap();
        assert_eq!(model.info().engine.kind, EngineKind::OnnxRuntime);
        assert_eq!(run(&model, x(f32s(&[2], &[2.0, 1.0]))).unwrap().outputs[0].1, f32s(&[2], &[2.0, 1.0]));
    }
}

#[test]
fn a_sample_does_not_make_up_for_what_is_refused() {
    let lab = Lab::new();
    let path = lab.write("model.onnx", &in_sequence());
    let file = lab.path().join("sample.safetensors");
    let sample = [("in.x", [1.0, 2.0]), ("out.y", [1.0, 2.0])];
    let sample = sample.map(|(name, values)| (name.to_owned(), f32s(&[2], &values)));
    write_safetensors(&file, &sample).unwrap();
    let choice = EngineChoice::Rten;
    let source = ModelSource { choice, selftest: Some(file), sessions: 1, ..ModelSource::new("m", path) };
    assert_eq!(lab.engines().load(&source).unwrap_err().code(), "TS-0506");
}

#[test]
fn a_sample_must_be_reproduced() {
    on_each_engine("sample", |lab, choice| {
        let input = ("in.x".to_owned(), f32s(&[1, 3], &[1.0; 3]));
        let output = |values: &[f32]| ("out.p".to_owned(), f32s(&[1, 2], values));
        with_sample(lab, choice, &[input.clone(), output(&[0.25, 3.0005])]).unwrap();
        let error = with_sample(lab, choice, &[input.clone(), output(&[0.25, 3.5])]).unwrap_err();
        assert_eq!(error.code(), "TS-0508");
        let text = error.to_string();
        assert!(text.contains("1 of 2 values differ, most at element 1: 3 instead of 3.5 (by 5.000e-1)"), "{text}");
        let error = with_sample(lab, choice, &[input.clone(), output(&[0.25, f32::NAN])]).unwrap_err();
        assert!(error.to_string().contains("NaN"), "{error}");
        let error = with_sample(lab, choice, &[input.clone(), output(&[0.25, f32::INFINITY])]).unwrap_err();
        assert!(error.to_string().contains("3 instead of inf"), "{error}");
        let error = with_sample(lab, choice, &[input.clone(), ("out.q".to_owned(), f32s(&[], &[1.0]))]).unwrap_err();
        assert!(error.to_string().contains("no such output"), "{error}");
        assert_eq!(with_sample(lab, choice, std::slice::from_ref(&input)).unwrap_err().code(), "TS-0509");
        let stray = ("x".to_owned(), f32s(&[], &[1.0]));
        assert_eq!(with_sample(lab, choice, &[stray]).unwrap_err().code(), "TS-0509");
    });
}

#[test]
fn a_model_that_gives_no_finite_numbers_fails_on_rten_and_is_marked_on_onnxruntime() {
    let mut ninf = node("Div", &["x", "zero"], &["y"]);
    ninf.name = Some("division by zero".to_owned());
    let mut proto = unary(ninf);
    proto.graph.as_mut().unwrap().initializer = vec![constant("zero", &[1], &[0.0])];
    let lab = Lab::new();
    let error = lab.load(EngineChoice::Rten, &proto).unwrap_err();
    assert!(error.code() == "TS-0508" && error.to_string().contains("not finite"), "{error}");
    if onnxruntime("marked models") {
        let model = lab.load(EngineChoice::OnnxRuntime, &proto).unwrap();
        assert!(model.info().caveats[0].contains("not self-tested"), "{:?}", model.info().caveats);
    }
}

#[test]
fn open_dimensions_are_tried_with_other_sizes() {
    // 64 columns are needed, the file does not say so.
    on_each_engine("open dimensions", |lab, choice| {
        let shape = [D::S("N"), D::S("K")];
        let mut graph = graph(
            vec![node("MatMul", &["x", "W"], &["y"])],
            vec![value("x", FLOAT, &shape)],
            vec![value("y", FLOAT, &[D::S("N"), D::N(1)])],
        );
        graph.initializer = vec![constant("W", &[64, 1], &[0.5; 64])];
        let model = lab.load(choice, &model(graph)).unwrap();
        assert!(model.info().caveats.is_empty(), "{:?}", model.info().caveats);
    });
}

#[test]
fn files_that_are_no_models_end_in_one_clear_message() {
    let lab = Lab::new();
    let whole = lab.write("whole.onnx", &dense());
    let bytes = std::fs::read(&whole).unwrap();
    let garbage: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let cases: [(&str, &[u8], &str); 5] = [
        ("cut", &bytes[..bytes.len() / 2], "TS-0502"),
        ("empty", b"", "TS-0502"),
        ("text", b"this is a README, not a model", "TS-0502"),
        ("page", b"<!DOCTYPE html><html><body>404</body></html>", "TS-0502"),
        ("garbage", &garbage, "TS-0502"),
    ];
    for (name, bytes, code) in cases {
        let path = lab.write_bytes(&format!("{name}.onnx"), bytes);
        let error = lab.engines().load(&ModelSource::new("m", &path)).unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(&format!("{name}.onnx")), "{error}");
        assert!(onnx::inspect(&path).is_err());
    }
    let engines = lab.engines();
    let missing = engines.load(&ModelSource::new("m", lab.path().join("no.onnx"))).unwrap_err();
    assert!(missing.code() == "TS-0501" && missing.to_string().contains("No such file"), "{missing}");
    let folder = engines.load(&ModelSource::new("m", lab.path())).unwrap_err();
    assert!(folder.to_string().contains("not a regular file"), "{folder}");
}

#[test]
fn no_cut_or_flipped_byte_brings_the_process_down() {
    on_each_engine("damaged models", |lab, choice| {
        let mut proto = slow();
        proto.graph.as_mut().unwrap().initializer = vec![constant("unused", &[4], &[1.0; 4])];
        let whole = lab.write("whole.onnx", &proto);
        let bytes = std::fs::read(&whole).unwrap();
        for cut in (0..bytes.len()).step_by(7) {
            let path = lab.write_bytes("cut.onnx", &bytes[..cut]);
            let _ = lab.engines().load(&ModelSource { choice, sessions: 1, ..ModelSource::new("m", path) });
        }
        for position in (0..bytes.len()).step_by(3) {
            let mut bytes = bytes.clone();
            bytes[position] ^= 1 << (position % 8);
            let path = lab.write_bytes("flipped.onnx", &bytes);
            let _ = lab.engines().load(&ModelSource { choice, sessions: 1, ..ModelSource::new("m", path) });
        }
    });
}

fn with_external(location: &'static str) -> trackside_models::onnx::proto::ModelProto {
    let entry = |key: &'static str, value: &'static str| StringStringEntryProto {
        key: Some(key.as_bytes().into()),
        value: Some(value.as_bytes().into()),
    };
    let mut proto = dense();
    proto.graph.as_mut().unwrap().initializer[0] = TensorProto {
        raw_data: None,
        data_location: Some(1),
        external_data: vec![entry("location", location), entry("offset", "0"), entry("length", "24")],
        ..constant("W", &[3, 2], &[])
    };
    proto
}

#[test]
fn weight_files_are_read_beside_the_model_and_nowhere_else() {
    on_each_engine("weight files", |lab, choice| {
        let weights: Vec<u8> = [1.0f32, -1.0, 2.0, 0.5, -3.0, 4.0].iter().flat_map(|w| w.to_le_bytes()).collect();
        lab.write_bytes("w.data", &weights);
        let model = lab.load(choice, &with_external("w.data")).unwrap();
        let ran = run(&model, x(f32s(&[1, 3], &[1.0; 3]))).unwrap();
        assert_eq!(ran.outputs[0].1, f32s(&[1, 2], &[0.25, 3.0]));
        assert_eq!(model.info().external[0].digest, Digest::of(&weights));

        for location in ["secrets.toml", "../w.data", "/etc/passwd", "sub/w.data", "", ".", "..", "w\\w.data"] {
            let error = lab.load(choice, &with_external(location)).unwrap_err();
            assert_eq!(error.code(), "TS-0503", "{location}: {error}");
        }
        assert!(lab.load(choice, &with_external("none.data")).unwrap_err().to_string().contains("none.data"));
        std::os::unix::fs::symlink("/etc/hostname", lab.path().join("link.data")).unwrap();
        assert!(lab.load(choice, &with_external("link.data")).unwrap_err().to_string().contains("symbolic link"));
        lab.write_bytes("w.bin", &weights);
        lab.load(choice, &with_external("w.bin")).unwrap();
        lab.write_bytes("w.data", &weights[..10]);
        assert!(lab.load(choice, &with_external("w.data")).is_err());
    });
}

#[test]
fn an_output_that_is_no_tensor_is_left_out_and_an_input_refused() {
    let sequence = |name: &str| ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { sequence_type: Some(Box::default()), ..Default::default() }),
    };
    let lab = Lab::new();
    let mut proto = add();
    proto.graph.as_mut().unwrap().output.push(sequence("maps"));
    let path = lab.write("seq.onnx", &proto);
    let inspection = onnx::inspect(&path).unwrap();
    assert_eq!((inspection.outputs[2].kind.as_str(), inspection.outputs[2].element), ("sequence", None));
    let mut proto = add();
    proto.graph.as_mut().unwrap().input.push(sequence("maps"));
    let error = lab.load(EngineChoice::Auto, &proto).unwrap_err();
    assert!(error.to_string().contains("\"maps\" is a sequence"), "{error}");
}

#[test]
fn inspection_tells_what_is_in_the_file() {
    let lab = Lab::new();
    let mut proto = dense();
    proto.metadata_props = vec![StringStringEntryProto { key: Some("site".into()), value: Some("pump house".into()) }];
    let path = lab.write("model.onnx", &proto);
    let found = onnx::inspect(&path).unwrap();
    assert_eq!((found.ir_version, found.producer.as_str()), (8, "trackside-tests 1"));
    assert_eq!((found.parameters, found.parameter_bytes, found.nodes), (8, 32, 3));
    assert_eq!(found.inputs.len(), 1, "initializers are no inputs");
    assert_eq!(found.inputs[0].shape, Some(vec![Dim::Symbol("N".to_owned()), Dim::Fixed(3)]));
    assert_eq!(found.metadata["site"], "pump house");
    assert!(found.builtin.is_fit() && found.quantised_operators.is_empty());
    assert_eq!(found.digest, Digest::of(&std::fs::read(&path).unwrap()));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["inputs"][0]["shape"], serde_json::json!(["N", 3]));
    assert_eq!(json["opsets"][0], serde_json::json!({"domain": "ai.onnx", "version": 17}));
    assert_eq!(json["operators"][0], serde_json::json!({"domain": "ai.onnx", "name": "Add", "count": 1}));
}

#[test]
fn a_very_deep_graph_does_not_overflow_the_stack() {
    let chain = |length: usize| {
        let name = |index: usize| if index == 0 { "x".to_owned() } else { format!("t{index}") };
        let mut nodes: Vec<_> =
            (0..length).map(|i| node(if i % 2 == 0 { "Neg" } else { "Abs" }, &[&name(i)], &[&name(i + 1)])).collect();
        nodes.push(node("Neg", &[&name(length)], &["y"]));
        let shape = [D::N(1)];
        model(graph(nodes, vec![value("x", FLOAT, &shape)], vec![value("y", FLOAT, &shape)]))
    };
    let lab = Lab::new();
    let deep = lab.load(EngineChoice::Rten, &chain(20_000)).unwrap();
    assert_eq!(run(&deep, x(f32s(&[1], &[2.0]))).unwrap().outputs[0].1, f32s(&[1], &[-2.0]));
    let error = lab.load(EngineChoice::Rten, &chain(200_000)).unwrap_err();
    assert!(error.to_string().contains("more than 200000 calls"), "{error}");
}

#[test]
fn the_slow_model_of_the_durability_tests_is_the_one_made_here() {
    let bytes = prost::Message::encode_to_vec(&support::slow());
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/durability/slow.onnx");
    if std::fs::read(committed).unwrap_or_default() != bytes {
        let made = std::env::temp_dir().join("slow.onnx");
        std::fs::write(&made, bytes).unwrap();
        panic!("{committed} is another one: copy {} there", made.display());
    }
}
