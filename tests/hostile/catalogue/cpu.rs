//! Guests that do not stop.

use super::{
    attack::Attack,
    attack::Attacks,
    guest::{Guest, RET},
};

#[test]
fn h01_spins_before_it_is_called() {
    // Where a clock is granted it ticks in milliseconds; while the plugin describes itself none is.
    let mut later = Guest::new();
    later.import("resolution", "clocks/monotonic-clock", "resolution", "(result i64)").item(
        "(func $spin (if (i64.eq (call $resolution) (i64.const 1000000)) (then (loop $l (br $l))))) (start $spin)",
    );
    let mut at_once = Guest::new();
    at_once.item("(func $spin (loop $l (br $l))) (start $spin)");
    Attacks::of(1, 32)
        .attack(Attack::guest(&later).cpu(300).allow("clock: true").ends("cpu-limit", &["300ms", "limits.cpu"]))
        .attack(Attack::guest(&at_once).refused("TS-0317", &["CPU time"]))
        .run();
}

#[test]
fn h02_loops_for_ever() {
    Attacks::of(2, 32)
        .attack(Attack::body("(loop $l (br $l))").cpu(300).ends("cpu-limit", &["300ms", "limits.cpu"]))
        .run();
}

#[test]
fn h03_loops_while_it_describes_itself() {
    let mut guest = Guest::new();
    guest.describe("(loop $l (br $l))");
    Attacks::of(3, 32).attack(Attack::guest(&guest).refused("TS-0317", &["CPU time"])).run();
}

#[test]
fn h07_calls_itself_without_end() {
    let mut native = Guest::new();
    native.item("(func $deeper (param i32) (result i32) (i32.add (call $deeper (local.get 0)) (i32.const 1)))");
    native.run("(drop (call $deeper (i32.const 0)))");
    Attacks::of(7, 32)
        .attack(
            Attack::guest(&native).ends("stack-overflow", &["recursion"]).look(|seen| {
                assert!(seen.step()["error"]["details"].to_string().contains("deeper"), "{}", seen.step())
            }),
        )
        .run();
}

#[test]
fn h08_calls_the_host_while_the_host_waits_for_it() {
    let input = |guest: &mut Guest| {
        guest.import("input", "context", "input-json", "(param i32)").run(format!("(call $input (i32.const {RET}))"));
    };
    let mut calls = Guest::new();
    input(&mut calls);
    calls.import("enabled", "telemetry", "enabled", "(param i32) (result i32)");
    calls.realloc("(drop (call $enabled (i32.const 0)))");
    let mut loops = Guest::new();
    input(&mut loops);
    loops.realloc("(loop $l (br $l))");
    let mut lies = Guest::new();
    input(&mut lies);
    lies.realloc("(return (i32.const -8))");
    let mut afterwards = Guest::new();
    afterwards.item("(func (export \"cabi_post_trackside:plugin/step@0.1.0#run\") (param i32) (loop $l (br $l)))");
    Attacks::of(8, 32)
        .attack(Attack::guest(&calls).ends("trap", &["leave"]))
        .attack(Attack::guest(&loops).cpu(300).ends("cpu-limit", &["300ms"]))
        .attack(Attack::guest(&lies).ends("trap", &["beyond end of memory"]))
        .attack(Attack::guest(&afterwards).cpu(300).ends("cpu-limit", &["300ms"]))
        .run();
}

#[test]
fn h09_fills_its_whole_memory_again_and_again() {
    // Nothing interrupts one filling: the memory's limit bounds it.
    let body = "(drop (memory.grow (i32.const 4000)))
        (loop $l (memory.fill (i32.const 1024) (i32.const 0) (i32.const 262000000)) (br $l))";
    Attacks::of(9, 288)
        .attack(Attack::body(body).cpu(300).limits("memory: 256MiB").ends("cpu-limit", &["300ms"]))
        .run();
}

#[test]
fn h10_sleeps_for_ever() {
    let mut guest = Guest::new();
    guest
        .import("sleep", "clocks/monotonic-clock", "subscribe-duration", "(param i64) (result i32)")
        .import("block", "io/poll", "[method]pollable.block", "(param i32)")
        .run("(call $block (call $sleep (i64.const 31536000000000000)))");
    Attacks::of(10, 32).attack(Attack::guest(&guest).wall(300).ends("wall-limit", &["300ms", "limits.wall"])).run();
}

#[test]
fn h14_calls_the_host_fifty_million_times() {
    let mut level = Guest::new();
    level
        .import("enabled", "telemetry", "enabled", "(param i32) (result i32)")
        .run("(loop $l (drop (call $enabled (i32.const 0))) (br $l))");
    let mut time = Guest::new();
    time.import("remaining", "context", "remaining-ms", "(param i32)")
        .run(format!("(loop $l (call $remaining (i32.const {RET})) (br $l))"));
    let mut line = Guest::new();
    let text = line.text("tick");
    line.import("log", "telemetry", "log", "(param i32 i32 i32 i32 i32)")
        .run(format!("(loop $l (call $log (i32.const 2) {text} (i32.const 0) (i32.const 0)) (br $l))"));
    let mut note = Guest::new();
    let text = note.text("half");
    note.import("progress", "telemetry", "progress", "(param f32 i32 i32)")
        .run(format!("(loop $l (call $progress (f32.const 0.5) {text}) (br $l))"));
    let mut attacks = Attacks::of(14, 32);
    for guest in [level, time, line, note] {
        attacks = attacks.attack(Attack::guest(&guest).cpu(300).ends("cpu-limit", &["300ms"]));
    }
    attacks.run();
}

#[test]
fn h42_asks_for_times_beyond_the_end_of_time() {
    let mut sleeps = Guest::new();
    sleeps
        .import("sleep", "clocks/monotonic-clock", "subscribe-duration", "(param i64) (result i32)")
        .import("block", "io/poll", "[method]pollable.block", "(param i32)")
        .run("(call $block (call $sleep (i64.const -1)))");
    let mut waits = Guest::new();
    let (code, message) = (waits.text("later"), waits.text("come back in 49 days"));
    // The kind that is tried again, after u32::MAX milliseconds: later than the step may try at all.
    waits.run(format!(
        "(local.set $p (call $fail (i32.const 0) {code} {message}))
        (i32.store8 offset=24 (local.get $p) (i32.const 1)) (i32.store offset=28 (local.get $p) (i32.const -1))
        (return (local.get $p))"
    ));
    let retry = "    retry: { times: 2, wait: 1ms, max: 20ms, give_up_after: 1m }\n";
    let mut keeps = Guest::new();
    let (key, value) = (keeps.text("key"), keeps.text("value"));
    keeps
        .import("set", "state", "set", "(param i32 i32 i32 i32 i32 i32 i64 i32)")
        .run(format!("(call $set (i32.const 0) {key} {value} (i32.const 1) (i64.const -1) (i32.const {RET}))"));
    Attacks::of(42, 32)
        .attack(Attack::guest(&sleeps).wall(300).ends("wall-limit", &["300ms"]))
        .attack(
            Attack::guest(&waits)
                .more(retry)
                .ends("later", &["49 days"])
                .look(|seen| assert_eq!(seen.step()["attempts"], 3, "{}", seen.step())),
        )
        .attack(Attack::guest(&keeps).allow("state: true").ends("succeeded", &[]))
        .run();
}

#[test]
fn h53_times_the_processor() {
    // A million looks at the clock: with the grant it shows whole milliseconds, without it only the looks move it.
    let probe = |step: u64| {
        let mut guest = Guest::new();
        let fine = guest.fail("fine-clock", "the clock tells more than it may");
        guest.import("now", "clocks/monotonic-clock", "now", "(result i64)").run(format!(
            "(local.set $n (i32.const 1000000))
            (loop $l
              (local.set $w (call $now))
              (if (i64.ne (i64.rem_u (i64.sub (call $now) (local.get $w)) (i64.const {step})) (i64.const 0)) (then {fine}))
              (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
        ));
        guest
    };
    Attacks::of(53, 32)
        .attack(Attack::guest(&probe(1_000_000)).allow("clock: true"))
        .attack(Attack::guest(&probe(1_000)))
        .run();
}
