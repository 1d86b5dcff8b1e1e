//! The three kinds of code that a step can be are told apart before any of it runs.

use std::{sync::Arc, time::Duration};
use trackside_codes::Coded;

use trackside_sandbox::{
    CacheOutcome, CommandCall, CompileProgram, CompileWorker, Layout, LoadError, Sandbox, SandboxSettings, StepCall,
};

use super::{
    call,
    programs::{cat, component, module, program, says},
};
use crate::support::{Bench, TestHost, bench_with, failure, guest, output, runtime, settings};

/// Why a file is refused, where whatever is compiled is refused with other words.
fn refusal(bytes: &[u8]) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    let program = CompileProgram {
        program: "/bin/sh".into(),
        arguments: ["-c", "echo 'it was compiled' >&2; exit 1"].map(str::to_owned).into(),
        environment: Vec::new(),
    };
    let worker = CompileWorker { program, memory: 1 << 30, time: Duration::from_secs(60) };
    let settings = SandboxSettings { worker: Some(worker), ..settings(folder.path()) };
    Sandbox::new(settings).unwrap().load(bytes, "tool").unwrap_err()
}

#[test]
fn programs_are_described_without_being_asked() {
    let sandbox = Bench::new().sandbox;
    let module = sandbox.load(&cat(), "tools/Line_Count.wasm").unwrap();
    assert!(module.is_command());
    let about = module.descriptor();
    assert_eq!((about.name.as_str(), about.version.as_str()), ("line-count", module.digest().short().as_str()));
    assert!(about.summary.contains("preview 1") && about.docs.contains("stdout: json"), "{about:?}");
    assert!(about.output("stdout").is_some_and(|port| !port.required));
    assert!(module.imports().contains(&"wasi_snapshot_preview1.fd_write".to_owned()), "{:?}", module.imports());
    let component = sandbox.load(&component("(i32.const 0)"), "tool").unwrap();
    assert!(component.is_command() && component.descriptor().summary.contains("preview 2"));
    assert_eq!(component.imports(), ["wasi:cli/exit@0.2.12"]);
    assert!(!sandbox.load(&guest("echo.wasm"), "echo").unwrap().is_command());
}

#[test]
fn compiled_programs_come_from_the_cache_and_run() {
    let folder = tempfile::tempdir().unwrap();
    for (expected, name) in [(CacheOutcome::Compiled, "first"), (CacheOutcome::Hit, "second")] {
        let sandbox = Sandbox::new(settings(folder.path())).unwrap();
        for bytes in [says("{}", "", 0), component("(i32.const 0)")] {
            let plugin = sandbox.load(&bytes, name).unwrap();
            assert_eq!(plugin.cache(), &expected);
            assert_eq!(plugin.descriptor().name, name);
            let report = runtime().block_on(plugin.run(call(CommandCall::default()), Arc::new(TestHost::new())));
            assert_eq!(output(&report)["exit_code"], 0);
        }
    }
}

#[test]
fn every_layout_runs_programs_within_their_memory() {
    for layout in [Layout::Pooled, Layout::Large, Layout::Small] {
        let bench = bench_with(layout);
        let grow = program(
            "(loop $more (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable)) (br $more))",
        );
        for (bytes, code) in [(cat(), None), (grow, Some("out-of-memory")), (component("(i32.const 0)"), None)] {
            let plugin = bench.sandbox.load(&bytes, "tool").unwrap();
            let report = runtime().block_on(plugin.run(call(CommandCall::default()), Arc::new(TestHost::new())));
            match code {
                None => assert_eq!(output(&report)["exit_code"], 0, "{layout:?}"),
                Some(code) => assert_eq!(failure(&report).0, code, "{layout:?}"),
            }
        }
    }
}

#[test]
fn what_is_no_program_is_refused_before_it_is_compiled() {
    let start = "(func (export \"_start\"))";
    let endless = "(func $s (loop $more (br $more))) (start $s)";
    let import = |from: &str, name: &str| format!("(import \"{from}\" \"{name}\" (func)) {start}");
    let cases = [
        (module(&format!("(func (export \"_initialize\")) {endless}")), "TS-0320", "reactor"),
        (module(&format!("(func (export \"main\")) {endless}")), "TS-0320", "no `_start`"),
        (module("(func (export \"_start\") (param i32))"), "TS-0320", "takes or gives"),
        (module("(import \"trackside:plugin/state@0.1.0\" \"get\" (func))"), "TS-0320", "component"),
        (wat::parse_str(format!("(module {start})")).unwrap(), "TS-0320", "memory"),
        (module(&import("env", "emscripten_resize_heap")), "TS-0321", "env.emscripten_resize_heap"),
        (module(&import("wasi_unstable", "fd_write")), "TS-0321", "preview 0"),
        (module(&import("wasi", "thread-spawn")), "TS-0321", "threads"),
        (module(&import("wasi_snapshot_preview1", "sock_open")), "TS-0322", "sock_open"),
        (module(&import("wasi_snapshot_preview1", "fd_write")), "TS-0322", "fd_write"),
        // Names are their author's, and may hold anything.
        (module(&import("wasi_snapshot_preview1", "fd\\09write")), "TS-0322", "fd\\twrite"),
        (module(&import("env", "bell\\07")), "TS-0321", "bell"),
        // What else is missing here does not hide the import.
        (module(&format!("(import \"env\" \"m\" (memory 1 2 shared)) {start}")), "TS-0321", "env.m"),
        (module(&format!("(import \"env\" \"f\" (func (param i64) (result v128))) {start}")), "TS-0321", "env.f"),
        (module(&format!("(type (struct (field i32))) (import \"env\" \"g\" (func)) {start}")), "TS-0321", "env.g"),
    ];
    for (bytes, code, word) in cases {
        let error = refusal(&bytes);
        let message = error.to_string();
        assert_eq!(error.code(), code, "{message}");
        assert!(
            message.contains(word) && message.contains("`tool`") && !message.contains(char::is_control),
            "{message}"
        );
    }
}

#[test]
fn a_component_that_needs_more_than_wasi_is_refused() {
    let text = r#"(component
        (import "wasi:http/outgoing-handler@0.2.3" (instance))
        (core module $m (func (export "run") (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $r (export "run" (func $run)))
        (export "wasi:cli/run@0.2.3" (instance $r)))"#;
    let error = refusal(&wat::parse_str(text).unwrap());
    assert_eq!(error.code(), "TS-0321");
    assert!(error.to_string().contains("wasi:http/outgoing-handler@0.2.3"), "{error}");
}

#[test]
fn a_plugin_of_the_contract_takes_no_command() {
    let plugin = Bench::new().sandbox.load(&guest("echo.wasm"), "echo").unwrap();
    let mut step = StepCall::new("flow", "run-1", "echo");
    step.command = Some(CommandCall::default());
    let report = runtime().block_on(plugin.run(step, Arc::new(TestHost::new())));
    let (code, message) = failure(&report);
    assert_eq!(code, "bad-input");
    assert!(message.contains("not a WASI command"), "{message}");
}

#[test]
fn a_program_that_fits_is_handed_to_the_compiler() {
    for bytes in [cat(), component("(i32.const 0)"), guest("echo.wasm")] {
        let error = refusal(&bytes);
        assert!(error.code() == "TS-0312" && error.to_string().contains("it was compiled"), "{error}");
    }
}
