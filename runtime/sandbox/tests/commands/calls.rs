//! What a program is given, what it gives back, and what ends it.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use trackside_sandbox::{CommandCall, CommandStdin, LogLevel, StepCall};
use trackside_spec::{CommandStdout, ExitCodes};

use super::{
    call,
    programs::{self, cat, component, program, says, with_text},
    put, run, run_on, text,
};
use crate::support::{Bench, TestHost, failure, output, runtime};

#[test]
fn the_input_document_goes_in_and_json_comes_out() {
    let mut step = call(CommandCall::default());
    step.input_json = r#"{"rows":[1,2]}"#.to_owned();
    let report = run_on(&cat(), step, &Arc::new(TestHost::new()));
    assert_eq!(output(&report), json!({ "stdout": { "rows": [1, 2] }, "exit_code": 0 }));
    assert!(report.usage.host_calls > 0 && report.usage.memory_peak == 128 << 10, "{:?}", report.usage);
}

#[test]
fn without_a_command_key_it_is_called_with_defaults() {
    let mut step = StepCall::new("flow", "run-1", "tool");
    step.input_json = "[1]".to_owned();
    let plugin = Bench::new().sandbox.load(&cat(), "tool").unwrap();
    // The input of a step is an object for every kind of plugin.
    assert_eq!(failure(&runtime().block_on(plugin.run(step, Arc::new(TestHost::new())))).0, "bad-input");
    let step = StepCall::new("flow", "run-1", "tool");
    assert_eq!(output(&runtime().block_on(plugin.run(step, Arc::new(TestHost::new()))))["stdout"], json!({}));
}

#[test]
fn an_artifact_streams_in_and_out() {
    let host = Arc::new(TestHost::new());
    let content: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let command = CommandCall {
        stdin: CommandStdin::Artifact(put(&host, &content)),
        stdout: CommandStdout::Artifact,
        ..CommandCall::default()
    };
    let report = run_on(&cat(), call(command), &host);
    assert_eq!(output(&report), json!({ "exit_code": 0 }));
    let (port, made) = &report.artifacts[0];
    assert_eq!((port.as_str(), made.size), ("stdout", 3_000_000));
    assert!(std::fs::read(host.path(&made.digest)).unwrap() == content);
    assert_eq!((report.usage.artifact_bytes_read, report.usage.artifact_bytes_written), (3_000_000, 3_000_000));
    assert_eq!(host.open_sinks.load(std::sync::atomic::Ordering::SeqCst), 0);
    // A program that prints nothing leaves an empty artifact.
    let silent = CommandCall { stdout: CommandStdout::Artifact, ..CommandCall::default() };
    let report = run_on(&program("nop"), call(silent), &host);
    assert_eq!((report.artifacts.len(), report.artifacts[0].1.size), (1, 0));
}

#[test]
fn arguments_and_environment_are_what_was_given_and_nothing_else() {
    let body = |sizes: &str, get: &str| {
        program(&format!(
            "(if (call ${sizes} (i32.const 32) (i32.const 36)) (then unreachable))
             (if (call ${get} (i32.const 1024) (i32.const 4096)) (then unreachable))
             (call $out (i32.const 4096) (i32.load (i32.const 36)))"
        ))
    };
    let command =
        CommandCall { args: vec!["-n".into(), "a b".into()], env: vec![("LEVEL".into(), "7".into())], ..text() };
    let report = run(&body("args_sizes_get", "args_get"), command.clone());
    assert_eq!(output(&report)["stdout"], "tool\0-n\0a b\0");
    let report = run(&body("environ_sizes_get", "environ_get"), command);
    assert_eq!(output(&report)["stdout"], "LEVEL=7\0");
}

#[test]
fn exit_codes_are_the_workflows_to_judge() {
    let with = |ok: &[u8], retry: &[u8]| CommandCall {
        exit: ExitCodes { ok: ok.to_vec(), retry: retry.to_vec() },
        ..CommandCall::default()
    };
    // All 256, from programs of both forms.
    for code in [0u32, 1, 10, 75, 125, 126, 200, 255] {
        let module = says("{}", "one\nlast words\n", code);
        let command = component(&format!("(call $exit (i32.const {code})) (i32.const 0)"));
        #[expect(clippy::cast_possible_truncation, reason = "they are below 256")]
        let byte = code as u8;
        for bytes in [&module, &command] {
            assert_eq!(output(&run(bytes, with(&[byte], &[])))["exit_code"], code, "ok");
            let report = run(bytes, with(&[byte ^ 1], &[byte]));
            let (kind, message) = failure(&report);
            assert_eq!(kind, "exit-code", "{message}");
            assert!(message.contains(&format!("exit code {code}")), "{message}");
            let failed = report.outcome.unwrap_err();
            assert!(failed.retryable && failed.from_guest);
            assert_eq!(failed.extra, [("exit_code".to_owned(), code.to_string())]);
            assert!(!run(bytes, with(&[byte ^ 1], &[])).outcome.unwrap_err().retryable);
        }
        let report = run(&module, with(&[byte ^ 1], &[]));
        assert!(failure(&report).1.ends_with(": last words"), "{:?}", report.outcome);
        assert_eq!(report.outcome.unwrap_err().stderr_tail, "one\nlast words\n");
    }
    // A component that only says well or not.
    assert_eq!(output(&run(&component("(i32.const 0)"), CommandCall::default()))["exit_code"], 0);
    assert_eq!(output(&run(&component("(i32.const 1)"), with(&[1], &[])))["exit_code"], 1);
}

#[test]
fn an_exit_code_counts_as_a_whole_and_not_by_its_low_byte() {
    let every: Vec<u8> = (0..=255).collect();
    let exit = ExitCodes { ok: every.clone(), retry: Vec::new() };
    for code in [256i32, -256, 512, -1, 257, 65_536, i32::MIN, i32::MAX] {
        for exit in [ExitCodes::default(), exit.clone(), ExitCodes { ok: vec![7], retry: every[..7].to_vec() }] {
            let report = run(&says("{}", "", code.cast_unsigned()), CommandCall { exit, ..CommandCall::default() });
            let (kind, message) = failure(&report);
            assert!(kind == "exit-code" && message.ends_with(&format!("exit code {code}")), "{kind}: {message}");
            let failed = report.outcome.unwrap_err();
            assert_eq!((failed.retryable, failed.extra), (false, vec![("exit_code".to_owned(), code.to_string())]));
        }
    }
}

#[test]
fn standard_error_becomes_log_lines() {
    let report = run(&says("7", "first\nsecond", 0), CommandCall::default());
    assert_eq!(output(&report)["stdout"], 7);
    let lines: Vec<_> = report.logs.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(lines, [(LogLevel::Warn, "first"), (LogLevel::Warn, "second")]);
    assert_eq!(report.logs[0].attrs, [("stream".to_owned(), "stderr".to_owned())]);
}

#[test]
fn standard_output_is_read_as_the_step_says() {
    assert_eq!(output(&run(&says(" \n", "", 0), CommandCall::default()))["stdout"], json!(null));
    assert_eq!(output(&run(&says("a,b\n", "", 0), text()))["stdout"], "a,b\n");
    for (printed, how, word) in [
        ("a,b", CommandStdout::Json, "stdout: text"),
        ("\u{fffd}", CommandStdout::Json, "JSON"),
        (&"[".repeat(100), CommandStdout::Json, "nested"),
    ] {
        let report = run(&says(printed, "", 0), CommandCall { stdout: how, ..CommandCall::default() });
        let (code, message) = failure(&report);
        assert_eq!(code, "bad-output");
        assert!(message.contains(word), "{message}");
    }
    let bytes = with_text("\\ff\\fe", "(call $out (i32.const 8192) (i32.const 2))");
    for how in [CommandStdout::Json, CommandStdout::Text] {
        let report = run(&bytes, CommandCall { stdout: how, ..CommandCall::default() });
        assert!(failure(&report).1.contains("UTF-8"), "{:?}", report.outcome);
    }
}

#[test]
fn a_flood_on_standard_output_ends_the_program() {
    let flood = program("(loop $more (call $out (i32.const 4096) (i32.const 4096)) (br $more))");
    for how in [CommandStdout::Json, CommandStdout::Artifact] {
        let host = Arc::new(TestHost::new());
        let mut step = call(CommandCall { stdout: how, ..CommandCall::default() });
        (step.limits.output_bytes, step.limits.artifact_bytes) = (1 << 20, 1 << 20);
        let report = run_on(&flood, step, &host);
        let (code, message) = failure(&report);
        assert_eq!(code, "output-too-large");
        assert!(message.contains("1048576"), "{message}");
        assert_eq!(host.open_sinks.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
}

#[test]
fn what_ends_a_plugin_ends_a_program() {
    let endless = "(loop $more (br $more))";
    let host = || Arc::new(TestHost::new());
    for bytes in [program(endless), component(&format!("{endless} unreachable"))] {
        let mut step = call(CommandCall::default());
        step.limits.cpu = Duration::from_millis(200);
        assert_eq!(failure(&run_on(&bytes, step, &host())).0, "cpu-limit");
        let mut step = call(CommandCall::default());
        step.limits.wall = Duration::from_millis(200);
        let report = run_on(&bytes, step, &host());
        assert_eq!(failure(&report).0, "wall-limit");
        assert!(report.outcome.unwrap_err().retryable);
    }
    let grow = "(loop $more
        (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable)) (br $more))";
    let report = run(&program(grow), CommandCall::default());
    assert_eq!(failure(&report).0, "out-of-memory");
    assert!(report.usage.memory_peak <= 64 << 20);
    let deep = programs::module("(func $deep (call $deep)) (func (export \"_start\") (call $deep))");
    assert_eq!(failure(&run(&deep, CommandCall::default())).0, "stack-overflow");
    assert_eq!(failure(&run(&program("unreachable"), CommandCall::default())).0, "trap");
    // Its code may run before `_start`, and not for longer.
    let early = programs::module(&format!("(func $s {endless}) (start $s) (func (export \"_start\"))"));
    let mut step = call(CommandCall::default());
    step.limits.cpu = Duration::from_millis(200);
    assert_eq!(failure(&run_on(&early, step, &host())).0, "cpu-limit");
}

#[test]
fn a_cancelled_program_ends_after_the_grace() {
    let plugin = Bench::new().sandbox.load(&program("(loop $more (br $more))"), "tool").unwrap();
    let mut step = call(CommandCall::default());
    step.limits.cancel_grace = Duration::from_millis(50);
    let cancel = step.cancel.clone();
    let report = runtime().block_on(async {
        let running = tokio::spawn(async move { plugin.run(step, Arc::new(TestHost::new())).await });
        tokio::task::yield_now().await;
        cancel.cancel();
        running.await.unwrap()
    });
    assert_eq!(failure(&report).0, "cancelled");
}

#[test]
fn empty_writes_cost_the_program_and_not_the_host() {
    let empty = program("(loop $more (call $out (i32.const 4096) (i32.const 0)) (br $more))");
    let mut step = call(CommandCall { stdout: CommandStdout::Artifact, ..CommandCall::default() });
    step.limits.cpu = Duration::from_millis(300);
    assert_eq!(failure(&run_on(&empty, step, &Arc::new(TestHost::new()))).0, "cpu-limit");
}

#[test]
fn time_and_randomness_are_those_of_a_step_without_effects() {
    let bytes = program(
        "(if (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 4096)) (then unreachable))
         (if (call $random_get (i32.const 4104) (i32.const 16)) (then unreachable))
         (loop $hex
            (i32.store8 (i32.add (i32.const 5000) (local.get $n))
                (i32.add (i32.const 97) (i32.and (i32.load8_u (i32.add (i32.const 4096) (local.get $n))) (i32.const 15))))
            (br_if $hex (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 24))))
         (call $out (i32.const 5000) (i32.const 24))",
    );
    let seen = |time: u64, key: &str| {
        let mut step = call(text());
        (step.logical_time_ms, step.idempotency_key) = (time, key.to_owned());
        output(&run_on(&bytes, step, &Arc::new(TestHost::new())))["stdout"].as_str().unwrap().to_owned()
    };
    assert_eq!(seen(1_000, "r/a"), seen(1_000, "r/a"));
    assert_ne!(seen(1_000, "r/a")[..8], seen(2_000, "r/a")[..8]);
    assert_ne!(seen(1_000, "r/a")[8..], seen(1_000, "r/b")[8..]);
}
