//! Files that are no plugins are refused with a reason and a remedy.

use crate::support::{self, Bench, bench_with, guest};
use trackside_codes::Coded;
use trackside_sandbox::{CompileProgram, CompileWorker, Layout, LoadError, Sandbox, SandboxSettings};

/// The same with a worker in whose place nothing compiles.
fn refusal_unseen(bytes: &[u8]) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    let program = CompileProgram {
        program: "/bin/sh".into(),
        arguments: ["-c", "echo 'it was compiled' >&2; exit 1"].map(str::to_owned).into(),
        environment: Vec::new(),
    };
    let worker = CompileWorker { program, memory: 1 << 30, time: std::time::Duration::from_secs(60) };
    let settings = SandboxSettings { worker: Some(worker), ..support::settings(folder.path()) };
    Sandbox::new(settings).unwrap().load(bytes, "stranger").unwrap_err()
}

fn refusal(bytes: &[u8]) -> LoadError {
    Bench::new().sandbox.load(bytes, "stranger").unwrap_err()
}

/// Replaces text by text of the same length, so that the binary stays valid.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut found = 0;
    for at in 0..bytes.len() - from.len() {
        if &bytes[at..at + from.len()] == from.as_bytes() {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{from} does not occur");
    bytes
}

#[test]
fn what_is_no_component_is_named_for_what_it_is() {
    let cases: [(&[u8], &str); 6] = [
        (b"", "empty"),
        (b"\0asm\x63\0\x05\0", "unknown version"),
        (b"  (component)", "text"),
        (b"\x7fELF\x02\x01\x01", "ELF"),
        (b"PK\x03\x04", "something else"),
        (b"\0as", "something else"),
    ];
    for (bytes, word) in cases {
        let error = refusal(bytes);
        assert_eq!(error.code(), "TS-0311");
        assert!(error.to_string().contains(word) && error.to_string().contains("`stranger`"), "{error}");
    }
}

#[test]
fn native_code_from_outside_is_never_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = trackside_sandbox::Sandbox::new(support::settings(folder.path())).unwrap();
    sandbox.load(&guest("echo.wasm"), "echo").unwrap();
    let entry = std::fs::read_dir(folder.path().join("cache")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(entry).unwrap();
    let elf = bytes.windows(4).position(|window| window == b"\x7fELF").unwrap();
    let error = refusal(&bytes[elf..bytes.len() - 32]);
    assert!(error.to_string().contains("native code"), "{error}");
}

#[test]
fn a_truncated_or_damaged_component_does_not_compile() {
    let good = guest("echo.wasm");
    let mut damaged = good.clone();
    damaged[good.len() / 2..good.len() / 2 + 64].fill(0xff);
    for bytes in [&good[..good.len() / 2], &damaged] {
        assert_eq!(refusal(bytes).code(), "TS-0312");
    }
}

#[test]
fn a_component_of_another_world_is_told_what_it_lacks() {
    let error = refusal_unseen(b"\0asm\x0d\0\x01\0");
    assert_eq!(error.code(), "TS-0314");
    assert!(error.to_string().contains("trackside:plugin/describe"), "{error}");
}

#[test]
fn another_track_is_named_with_ours() {
    let future = replaced(&guest("echo.wasm"), "@0.1.0", "@0.2.0");
    let error = refusal_unseen(&future);
    assert_eq!(error.code(), "TS-0313", "{error}");
    assert!(error.to_string().contains("trackside:plugin@0.2.0"), "{error}");
    assert!(error.to_string().contains("trackside:plugin@0.1"), "{error}");
}

#[test]
fn imports_that_nobody_gives_are_listed() {
    let error = refusal_unseen(&replaced(&guest("echo.wasm"), "wasi:cli/stderr@", "acme:cli/stderr@"));
    assert_eq!(error.code(), "TS-0315", "{error}");
    assert!(error.to_string().contains("acme:cli/stderr@"), "{error}");
}

#[test]
fn a_file_over_the_size_limit_is_not_even_hashed() {
    assert_eq!(refusal(&vec![0; (64 << 20) + 1]).code(), "TS-0310");
}

/// A component that no compiler would make; see tests/components.
fn oddity(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components").join(name);
    std::fs::read(path).unwrap()
}

#[test]
fn a_plugin_that_does_not_describe_itself_in_time_is_refused() {
    for name in ["describe-loops.wasm", "start-loops.wasm"] {
        let begin = std::time::Instant::now();
        let error = refusal(&oddity(name));
        assert_eq!(error.code(), "TS-0317", "{name}: {error}");
        assert!(error.to_string().contains("cpu-limit"), "{name}: {error}");
        assert!(begin.elapsed() < support::wait::patience(), "{name}");
    }
}

#[test]
fn a_plugin_that_asks_for_a_step_while_it_describes_itself_is_refused() {
    let error = refusal(&oddity("describe-calls-host.wasm"));
    assert_eq!(error.code(), "TS-0317");
    assert!(error.to_string().contains("must not call the host"), "{error}");
}

#[test]
fn a_plugin_with_too_large_a_table_does_not_start() {
    // The pool knows the size of its slots and refuses the component as such; without it the instance does not start.
    for (layout, code) in [(Layout::Pooled, "TS-0312"), (Layout::Large, "TS-0317")] {
        let error = bench_with(layout).sandbox.load(&oddity("table-bomb.wasm"), "foreign").unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains("table"), "{error}");
    }
}

#[test]
fn a_proposal_that_is_switched_off_does_not_compile() {
    let error = refusal(&oddity("two-memories.wasm"));
    assert_eq!(error.code(), "TS-0312");
    assert!(error.to_string().contains("memor"), "{error}");
}

#[test]
fn a_descriptor_that_lies_outside_memory_is_refused() {
    assert_eq!(refusal(&oddity("rubbish-descriptor.wasm")).code(), "TS-0317");
}
