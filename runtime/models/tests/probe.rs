//! Whatever the process that looks at a model does, the parent says what it was.

use std::{path::Path, time::Duration};

use trackside_codes::Coded;
use trackside_models::{EngineChoice, EngineKind, ModelLimits, ProbeError, ProbeLimits, ProbeSettings, Prober};

/// What comes of it when the process does this.
fn probe(script: &str) -> ProbeError {
    let mut limits = ProbeLimits::of_this_box(Duration::from_secs(1));
    assert!(limits.memory >= 256 << 20 && limits.memory <= 4 << 30);
    limits.time = Duration::from_millis(300);
    let program = trackside_worker::Program {
        program: "/bin/sh".into(),
        // It reads its order, as the real one does: else what it says may come before it could be told anything.
        arguments: vec!["-c".to_owned(), format!("read order; {script}")],
        environment: Vec::new(),
    };
    let settings = ProbeSettings {
        name: "m".to_owned(),
        choice: EngineChoice::Auto,
        golden: None,
        configured: None,
        data_dir: "/nowhere".into(),
        prefer: EngineKind::Rten,
        run_ms: 1000,
        limits: ModelLimits::default(),
    };
    Prober { program, limits }.probe(Path::new("/nowhere/m.onnx"), &settings).unwrap_err()
}

#[test]
fn every_end_of_the_process_has_a_code_and_a_sentence() {
    for (script, code, words) in [
        ("kill -SEGV $$", "TS-0558", "signal 11"),
        ("kill -ABRT $$", "TS-0558", "signal 6"),
        ("exit 3", "TS-0558", "ended with 3"),
        ("exit 0", "TS-0558", "without a word"),
        ("echo the engine broke >&2; exit 1", "TS-0558", "the engine broke"),
        ("echo 'memory allocation of 5 bytes failed' >&2; kill -ABRT $$", "TS-0559", "of memory"),
        ("kill -KILL $$", "TS-0559", "raise `memory` in"),
        ("kill -XCPU $$", "TS-0559", "raise `cpu` in"),
        ("sleep 100", "TS-0559", "raise `wall` in"),
        ("while :; do :; done", "TS-0559", " s,"),
        ("echo junk", "TS-0558", "no answer"),
        ("echo '{\"Weights\": []}'", "TS-0558", "which nobody had asked for"),
        ("echo '{\"Refused\": [\"TS-0502\", \"it is no model\"]}'", "TS-0502", "it is no model"),
        ("echo '{\"Refused\": [\"nonsense\", \"it is no model\"]}'", "TS-0558", "nonsense"),
        ("echo '{\"Refused\": [\"TS-0507\", \"std::bad_alloc\"]}'", "TS-0559", "of memory"),
        ("exec yes", "TS-055", ""),
    ] {
        let error = probe(script);
        assert!(error.code().to_string().starts_with(code), "{script}: {error}");
        assert!(error.to_string().starts_with(&format!("[{}]", error.code())), "{script}: {error}");
        assert!(error.to_string().contains(words), "{script}: {error}");
        assert!(!error.to_string().contains('\n'), "{script}: {error}");
    }
}

#[test]
fn without_a_program_there_is_no_answer() {
    let limits = ProbeLimits { memory: 1 << 30, ..ProbeLimits::of_this_box(Duration::from_secs(1)) };
    let prober = Prober { program: trackside_worker::Program::default(), limits };
    let error = prober.weights(Path::new("m.onnx"), ModelLimits::default()).unwrap_err();
    assert_eq!(error.code(), "TS-0563");
}
