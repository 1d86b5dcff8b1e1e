//! A process in which no ONNX Runtime is ever loaded: what is said then.

use std::path::PathBuf;
use trackside_codes::Coded;

use crate::alone::alone;
use crate::support::*;
use trackside_models::{EngineChoice, EngineKind, EngineSettings, Engines, ModelError, ModelSource};

fn engines(lab: &Lab, configured: impl Into<PathBuf>) -> Engines {
    let settings =
        EngineSettings { configured: Some(configured.into()), ..EngineSettings::new(lab.path().join("data")) };
    Engines::discover(settings)
}

fn reason(lab: &Lab, configured: impl Into<PathBuf>) -> String {
    match engines(lab, configured).onnxruntime().map(|engine| engine.id()) {
        Err(ModelError::NoOnnxRuntime { tried }) => tried[0].reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_unusable_library_is_refused_with_its_own_reason() {
    alone(|| {
        let lab = Lab::new();
        assert!(reason(&lab, "/nowhere/libonnxruntime.so").contains("no such file"));
        let math = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6", "/lib64/libm.so.6"];
        match math.iter().find(|path| std::path::Path::new(path).is_file()) {
            Some(math) => assert!(reason(&lab, math).contains("not ONNX Runtime")),
            None => println!("not run: a library of another kind (libm.so.6 not found)"),
        }
        let garbage = lab.write_bytes("libonnxruntime.so", b"not an ELF file");
        let reason = reason(&lab, garbage);
        assert!(reason.contains("loader refuses it") && reason.contains("libonnxruntime.so"), "{reason}");
    });
}

#[test]
fn without_the_library_auto_takes_rten_where_it_can_and_says_what_is_missing_where_it_cannot() {
    alone(|| {
        let lab = Lab::new();
        let engines = engines(&lab, "/nowhere/libonnxruntime.so");
        let source = |model: &_| ModelSource { sessions: 1, ..ModelSource::new("m", lab.write("model.onnx", model)) };
        assert_eq!(engines.load(&source(&dense())).unwrap().info().engine.kind, EngineKind::Rten);
        let error = engines.load(&source(&in_sequence())).unwrap_err();
        assert_eq!(error.code(), "TS-0506");
        let text = error.to_string();
        assert!(
            text.contains("no operator SequenceAt, SequenceConstruct") && text.contains("trackside engine install"),
            "{text}"
        );
        let named = ModelSource { choice: EngineChoice::OnnxRuntime, ..source(&dense()) };
        let error = engines.load(&named).unwrap_err();
        assert_eq!(error.code(), "TS-0504");
        assert!(error.to_string().contains("/nowhere/libonnxruntime.so (configuration)"), "{error}");
    });
}

#[test]
fn the_list_names_both_engines() {
    alone(|| {
        let lab = Lab::new();
        let list = engines(&lab, "/nowhere/libonnxruntime.so").list();
        assert_eq!(list.iter().map(|status| status.available).collect::<Vec<_>>(), [false, true]);
        assert!(list[0].reason.contains("trackside engine install"), "{}", list[0].reason);
        let json = serde_json::to_value(&list).unwrap();
        assert_eq!((&json[0]["kind"], &json[1]["kind"]), (&"onnxruntime".into(), &"rten".into()));
        assert_eq!(json[0]["tried"][0]["source"], "configuration");
    });
}

#[test]
fn a_damaged_installation_is_not_loaded() {
    alone(|| {
        let lab = Lab::new();
        let folder = lab.path().join("data/engine/onnxruntime-1.32.0");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("libonnxruntime.so.1.32.0"), b"\x7fELF and then nothing").unwrap();
        // Only what the data folder holds is of interest here; whatever else is found must not be loaded in this process.
        let settings = EngineSettings {
            configured: Some(folder.join("libonnxruntime.so.1.32.0")),
            ..EngineSettings::new(lab.path().join("data"))
        };
        match Engines::discover(settings).onnxruntime().map(|engine| engine.id()) {
            Err(ModelError::NoOnnxRuntime { tried }) => {
                assert!(tried[0].reason.contains("damaged"), "{tried:?}");
            }
            other => panic!("{other:?}"),
        }
    });
}
