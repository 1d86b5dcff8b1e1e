//! The side of the parent: workers that are none.

use std::time::{Duration, Instant};
use trackside_codes::Coded;

use crate::support::{self, guest, settings};
use trackside_sandbox::{CacheOutcome, CompileProgram, CompileWorker, LoadError, Sandbox, SandboxSettings};

/// Loads echo with a worker that runs this program.
fn load(program: &str, arguments: &[&str], time: Duration) -> Result<CacheOutcome, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let worker = CompileWorker {
        program: CompileProgram {
            program: program.into(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: Vec::new(),
        },
        memory: 1 << 30,
        time,
    };
    let settings = SandboxSettings { worker: Some(worker), ..settings(folder.path()) };
    let plugin = Sandbox::new(settings).unwrap().load(&guest("echo.wasm"), "echo")?;
    Ok(plugin.cache().clone())
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn where_no_process_can_be_started_this_one_compiles() {
    assert_eq!(load("/nowhere/trackside", &[], LONG).unwrap(), CacheOutcome::Compiled);
}

#[test]
fn what_a_broken_worker_says_is_never_loaded() {
    let code = |program, arguments: &[&str]| load(program, arguments, LONG).unwrap_err().code();
    // It gives the component back, whose first bytes are no length.
    assert_eq!(code("/bin/sh", &["-c", "cat"]), "TS-0329");
    assert_eq!(code("/bin/sh", &["-c", "exit 7"]), "TS-0329");
    assert_eq!(code("/bin/sh", &["-c", "kill -SEGV $$"]), "TS-0329");
    assert_eq!(code("/bin/sh", &["-c", "cat >/dev/null; printf '\\010\\0\\0\\0\\0\\0\\0\\0abc'"]), "TS-0329");
    // Whole, and of the right length, and still no code that this engine made.
    assert_eq!(code("/bin/sh", &["-c", "cat >/dev/null; printf '\\010\\0\\0\\0\\0\\0\\0\\0abcdefgh'"]), "TS-0312");
    let said = load("/bin/sh", &["-c", "echo 'a reason' >&2; exit 1"], LONG).unwrap_err().to_string();
    assert!(said.contains("TS-0312") && said.contains("a reason"), "{said}");
}

#[test]
fn a_worker_that_hangs_is_ended_in_its_time() {
    for script in ["cat >/dev/null; exec sleep 1000", "exec sleep 1000", "cat >/dev/null; exec >&-; exec sleep 1000"] {
        let began = Instant::now();
        let error = load("/bin/sh", &["-c", script], Duration::from_millis(300)).unwrap_err();
        assert!(error.code() == "TS-0328" || error.code() == "TS-0329", "{script}: {error}");
        assert!(began.elapsed() < support::wait::patience(), "{script}: {:?}", began.elapsed());
    }
}

#[test]
fn a_worker_that_runs_out_of_memory_is_told_apart_from_one_that_breaks() {
    for said in ["memory allocation of 5 bytes failed", "mmap failed: Cannot allocate memory (os error 12)"] {
        let script = format!("echo '{said}' >&2; kill -ABRT $$");
        let error = load("/bin/sh", &["-c", &script], LONG).unwrap_err();
        assert!(error.code() == "TS-0328" && error.to_string().contains("compile_memory"), "{error}");
    }
}
