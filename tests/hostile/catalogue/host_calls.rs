//! Guests that make the host work, wait or hold for them.

use super::{
    attack::{Attack, Attacks},
    guest::{Guest, RET},
};
use crate::support::repository;

/// `subscribe-duration`, as `$sleep`.
fn sleeps(guest: &mut Guest) -> &mut Guest {
    guest.import("sleep", "clocks/monotonic-clock", "subscribe-duration", "(param i64) (result i32)")
}

#[test]
fn h11_polls_a_hundred_thousand_pollables() {
    let mut many = Guest::new();
    sleeps(&mut many).run("(loop $l (drop (call $sleep (i64.const 3600000000000))) (br $l))");
    let polls = |count: u32| {
        let mut one = Guest::new();
        sleeps(&mut one).import("poll", "io/poll", "poll", "(param i32 i32 i32)").pages(16).run(format!(
            "(local.set $a (call $sleep (i64.const 3600000000000)))
        (loop $l
          (i32.store (i32.add (i32.const 65536) (i32.shl (local.get $n) (i32.const 2))) (local.get $a))
          (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {count}))))
        (call $poll (i32.const 65536) (i32.const {count}) (i32.const {RET}))"
        ));
        one
    };
    Attacks::of(11, 48)
        .attack(Attack::guest(&many).ends("host-limit", &["limits.handles"]))
        .attack(Attack::guest(&polls(100_000)).ends("host-limit", &["limits.handles"]))
        .attack(Attack::guest(&polls(4_000)).wall(300).ends("wall-limit", &["300ms"]))
        .run();
}

#[test]
fn h12_waits_for_a_model_that_computes_for_hours() {
    let mut guest = Guest::new();
    let (name, rounds, x) = (guest.text("slow"), guest.text("rounds"), guest.text("x"));
    let (count, shape) = (guest.bytes(&i64::from(i32::MAX).to_le_bytes()), guest.words(&[64, 64]));
    let failed = guest.refused("inference", RET + 4);
    let list = guest.words(&[rounds.at, rounds.length, 0, x.at, x.length, 0]);
    let check = format!("(if (i32.load8_u (i32.const {RET})) (then {failed}))");
    let handle = format!("(i32.load offset=4 (i32.const {RET}))");
    guest
        .import("open", "inference", "[static]model.open", "(param i32 i32 i32)")
        .import("bytes", "inference", "[static]tensor.from-bytes", "(param i32 i32 i32 i32 i32 i32)")
        .import("zeroed", "inference", "[static]tensor.zeroed", "(param i32 i32 i32 i32)")
        .import("infer", "inference", "[method]model.run", "(param i32 i32 i32 i32 i32 i32)")
        .run(format!(
            "(call $open {name} (i32.const {RET})) {check} (local.set $a {handle})
            (call $bytes (i32.const 8) (i32.const 0) (i32.const 0) {count} (i32.const {RET})) {check}
            (i32.store offset=8 (i32.const {list}) {handle})
            (call $zeroed (i32.const 11) (i32.const {shape}) (i32.const 2) (i32.const {RET})) {check}
            (i32.store offset=20 (i32.const {list}) {handle})
            (loop $l
              (call $infer (local.get $a) (i32.const {list}) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const {RET}))
              (br $l))"
        ));
    let model = std::fs::read(repository::root().join("tests/durability/slow.onnx")).unwrap();
    Attacks::of(12, 96)
        .config("[models.slow]\npath = \"models/slow.onnx\"\nengine = \"rten\"\n")
        .file("models/slow.onnx", model)
        .attack(Attack::guest(&guest).wall(1_000).allow("models: [slow]").ends("wall-limit", &["1s"]))
        .run();
}

#[test]
fn h15_writes_nothing_ten_million_times() {
    let mut guest = Guest::new();
    guest
        .import("stdout", "cli/stdout", "get-stdout", "(result i32)")
        .import("write", "io/streams", "[method]output-stream.write", "(param i32 i32 i32 i32)")
        .run(format!(
            "(local.set $a (call $stdout))
            (loop $l (call $write (local.get $a) (i32.const 0) (i32.const 0) (i32.const {RET})) (br $l))"
        ));
    Attacks::of(15, 16).attack(Attack::guest(&guest).cpu(1_000).ends("cpu-limit", &["1s"])).run();
}

#[test]
fn h16_leaks_a_million_resources() {
    let leaks = |interface: &str, function: &str, signature: &str, arguments: &str| {
        let mut guest = Guest::new();
        guest.import("make", interface, function, signature);
        let call = format!("(call $make {arguments})");
        let call = if signature.contains("result") { format!("(drop {call})") } else { call };
        guest.run(format!("(loop $l {call} (br $l))"));
        Attack::guest(&guest).ends("host-limit", &["limits.handles"])
    };
    let zeros = "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)";
    let tensor = format!("(i32.const 1) (i32.const 0) (i32.const 0) (i32.const {RET})");
    Attacks::of(16, 32)
        .attack(leaks("telemetry", "[static]span.start", "(param i32 i32 i32 i32) (result i32)", zeros))
        .attack(leaks("inference", "[static]tensor.zeroed", "(param i32 i32 i32 i32)", &tensor))
        .attack(leaks("http/types", "[constructor]fields", "(result i32)", ""))
        .attack(leaks("cli/stdout", "get-stdout", "(result i32)", ""))
        .run();
}

#[test]
fn h17_passes_lists_of_gigabytes() {
    let log = |pages: u32, arguments: &str| {
        let mut guest = Guest::new();
        guest.import("log", "telemetry", "log", "(param i32 i32 i32 i32 i32)").pages(pages);
        guest.run(format!("(call $log (i32.const 2) {arguments})"));
        guest
    };
    // Seven million empty attributes: little for the guest, much for a host that makes texts of them.
    let attributes = log(2_000, "(i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 7000000)");
    let message = log(4, "(i32.const 0) (i32.const -1073741824) (i32.const 0) (i32.const 0)");
    let whole = log(1_600, "(i32.const 65536) (i32.const 100000000) (i32.const 0) (i32.const 0)");
    // The same 60 kB ten thousand times.
    let mut texts = Guest::new();
    texts.import("texts", "inference", "[static]tensor.from-text", "(param i32 i32 i32 i32 i32)").pages(8).run(
        format!(
            "(loop $l
          (i32.store (i32.add (i32.const 131072) (i32.shl (local.get $n) (i32.const 3))) (i32.const 262144))
          (i32.store offset=4 (i32.add (i32.const 131072) (i32.shl (local.get $n) (i32.const 3))) (i32.const 60000))
          (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 10000))))
        (call $texts (i32.const 0) (i32.const 0) (i32.const 131072) (i32.const 10000) (i32.const {RET}))"
        ),
    );
    Attacks::of(17, 48)
        .attack(Attack::guest(&attributes).limits("memory: 200MiB").ends("host-limit", &["limits.host_call"]))
        .attack(Attack::guest(&whole).limits("memory: 200MiB").ends("host-limit", &["limits.host_call"]))
        .attack(Attack::guest(&texts).ends("host-limit", &["limits.host_call"]))
        .attack(Attack::guest(&message).ends("trap", &["out of bounds"]))
        .run();
}

#[test]
fn h18_asks_for_four_gigabytes_of_randomness() {
    let mut guest = Guest::new();
    guest
        .import("random", "random/random", "get-random-bytes", "(param i64 i32)")
        .run(format!("(call $random (i64.const 4294967296) (i32.const {RET}))"));
    Attacks::of(18, 16).attack(Attack::guest(&guest).ends("host-limit", &["65536"])).run();
}
