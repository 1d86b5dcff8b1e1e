//! Guests that say too much, or what nobody should hear.

use super::{
    attack::{Attack, Attacks, is_readable},
    guest::{Guest, RET},
};

/// What a terminal obeys, and what looks like a line of somebody else.
const OBEYED: &str = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\0\u{8}\u{202e}txt.exe\u{2066}\r\nFORGED 2026-01-01 all is well\u{2028}FORGED";

/// A guest with both standard streams and what it takes to write to them.
fn talker() -> Guest {
    let mut guest = Guest::new();
    guest
        .import("stdout", "cli/stdout", "get-stdout", "(result i32)")
        .import("stderr", "cli/stderr", "get-stderr", "(result i32)")
        .import("write", "io/streams", "[method]output-stream.write", "(param i32 i32 i32 i32)");
    guest
}

/// Writes 64 KiB without a line's end.
fn writes(stream: &str) -> String {
    format!("(call $write (local.get {stream}) (i32.const 65536) (i32.const 65536) (i32.const {RET}))")
}

#[test]
fn h19_logs_a_gigabyte() {
    let mut line = talker();
    // 16,384 times 64 KiB.
    line.item("(data (i32.const 65536) \"abc\")").run(format!(
        "(local.set $a (call $stderr))
        (loop $l {} (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 16384))))",
        writes("$a")
    ));
    let mut lines = Guest::new();
    let text = lines.text(&"line ".repeat(100));
    lines.import("log", "telemetry", "log", "(param i32 i32 i32 i32 i32)").run(format!(
        "(loop $l
          (call $log (i32.const 2) {text} (i32.const 0) (i32.const 0))
          (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 200000))))"
    ));
    Attacks::of(19, 32)
        .attack(Attack::guest(&lines).cpu(5_000).wall(10_000).look(|seen| {
            let report = seen.report();
            assert!(report["log_lines_dropped"].as_u64() > Some(190_000), "{report:#}");
            assert!(seen.told().contains("dropped"), "nobody says that lines are missing");
        }))
        .attack(Attack::guest(&line).cpu(5_000).wall(10_000).look(|seen| {
            let report = seen.report();
            assert!(report["log_bytes"].as_u64() < Some(64 << 10), "{report:#}");
        }))
        .run();
}

#[test]
fn h20_says_what_terminals_obey() {
    let mut says = talker();
    let (code, text, name) = (says.text("hostile"), says.text(OBEYED), says.text("x"));
    let attributes = says.words(&[text.at, text.length, text.at, text.length]);
    let raw = says.bytes(&[OBEYED.as_bytes(), b"\xff\xfe\xed\xa0\x80\n"].concat());
    says.import("log", "telemetry", "log", "(param i32 i32 i32 i32 i32)")
        .import("gauge", "telemetry", "gauge-set", "(param i32 i32 f64 i32 i32)")
        .import("progress", "telemetry", "progress", "(param f32 i32 i32)")
        .import("start", "telemetry", "[static]span.start", "(param i32 i32 i32 i32) (result i32)")
        .run(format!(
            "(call $log (i32.const 2) {text} (i32.const {attributes}) (i32.const 1))
            (call $gauge {text} (f64.const 1) (i32.const {attributes}) (i32.const 1))
            (call $gauge {name} (f64.const nan) (i32.const {attributes}) (i32.const 1))
            (call $progress (f32.const nan) {text})
            (drop (call $start {text} (i32.const {attributes}) (i32.const 1)))
            (call $write (call $stdout) {raw} (i32.const {RET}))
            (call $write (call $stderr) {raw} (i32.const {RET}))
            (return (call $fail (i32.const 1) {code} {text}))"
        ));
    let mut skips = Guest::new();
    let text = skips.text(OBEYED);
    // `skipped` with this reason.
    skips.run(format!(
        "(local.set $p (call $done {text})) (i32.store8 offset=4 (local.get $p) (i32.const 1)) (return (local.get $p))"
    ));
    // A surrogate, and bytes that are no text at all, in an error and in a line of the log.
    let mut half = Guest::new();
    let (code, broken) = (half.text("hostile"), half.bytes(b"\xed\xa0\x80"));
    half.run(format!("(return (call $fail (i32.const 1) {code} {broken}))"));
    let mut rubbish = Guest::new();
    let broken = rubbish.bytes(b"\xff\xfe\xff");
    rubbish
        .import("log", "telemetry", "log", "(param i32 i32 i32 i32 i32)")
        .run(format!("(call $log (i32.const 2) {broken} (i32.const 0) (i32.const 0))"));
    Attacks::of(20, 32)
        .attack(Attack::guest(&says).ends("hostile", &["\\u{1b}[2J", "FORGED"]).look(|seen| {
            let told = seen.told();
            for line in told.lines().filter(|line| !line.is_empty()) {
                is_readable(line);
                assert!(!line.trim_start().starts_with("FORGED"), "{told}");
            }
            assert!(told.matches("FORGED").count() >= 4, "the log and both streams are shown: {told}");
        }))
        .attack(Attack::guest(&skips).look(|seen| {
            assert_eq!(seen.step()["state"], "skipped", "{}", seen.step());
            for line in seen.told().lines().filter(|line| !line.is_empty()) {
                is_readable(line);
            }
        }))
        .attack(Attack::guest(&half).ends("trap", &["utf-8"]))
        .attack(Attack::guest(&rubbish).ends("trap", &["utf-8"]))
        .run();
}

#[test]
fn h21_floods_both_standard_streams() {
    let mut guest = talker();
    guest.run(format!(
        "(memory.fill (i32.const 65536) (i32.const 10) (i32.const 32768))
        (local.set $a (call $stdout)) (local.set $b (call $stderr)) (loop $l {} {} (br $l))",
        writes("$a"),
        writes("$b")
    ));
    Attacks::of(21, 32)
        .attack(Attack::guest(&guest).cpu(500).ends("cpu-limit", &["500ms"]).look(|seen| {
            assert!(seen.report()["log_bytes"].as_u64() <= Some(256 << 10), "{:#}", seen.report());
        }))
        .run();
}
