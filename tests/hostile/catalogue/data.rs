//! Guests that misuse what is kept for them: state, tensors and models.

use std::fs;

use super::{
    attack::{Arena, Attack, Attacks},
    case::{Case, Timed},
    guest::{Guest, RET, Text},
};
use crate::support::{repository, web::Web};

/// `set` of the step's own state.
fn set(key: Text, value: Text) -> String {
    format!("(call $set (i32.const 0) {key} {value} (i32.const 0) (i64.const 0) (i32.const {RET}))")
}

/// A guest that keeps state, and the lines that end it with the host's error.
fn keeper() -> (Guest, String) {
    let mut guest = Guest::new();
    guest.import("set", "state", "set", "(param i32 i32 i32 i32 i32 i32 i64 i32)");
    let refused = guest.refused("state", RET + 4);
    (guest, format!("(if (i32.load8_u (i32.const {RET})) (then {refused}))"))
}

#[test]
fn h37_floods_its_state() {
    let (mut large, check) = keeper();
    let key = large.text("key");
    large.pages(200).run(format!("{} {check}", set(key, Text { at: 65_536, length: 3 << 20 })));
    // Keys of four bytes, each another one.
    let (mut many, check) = keeper();
    let key = many.text("aaaaaaaa");
    many.run(format!(
        "(loop $l
          (i64.store (i32.const {}) (i64.or (i64.const 0x4040404040404040)
            (i64.and (i64.extend_i32_u (local.get $n)) (i64.const 0x3f))))
          (i32.store8 offset=1 (i32.const {0}) (i32.or (i32.const 64) (i32.and (i32.shr_u (local.get $n) (i32.const 6)) (i32.const 63))))
          (i32.store8 offset=2 (i32.const {0}) (i32.or (i32.const 64) (i32.and (i32.shr_u (local.get $n) (i32.const 12)) (i32.const 62))))
          (i32.store8 (i32.const {0}) (i32.or (i32.const 64) (i32.and (local.get $n) (i32.const 62))))
          {} {check}
          (local.set $n (i32.add (local.get $n) (i32.const 2))) (br $l))",
        key.at,
        set(key, Text { at: 65_536, length: 1_000 })
    ));
    // Keys that are no keys: each must be refused.
    let (mut bad, _) = keeper();
    let (accepted, refused) = (bad.fail("accepted", "a key was accepted"), bad.refused("state", RET + 4));
    let long = "k".repeat(513);
    let value = bad.text("x");
    let each = bad.each(
        &["", "a\0b", "a\nb", "\u{1b}[2J", &long],
        &format!(
            "(call $set (i32.const 0) (local.get $p) (local.get $l) {value} (i32.const 0) (i64.const 0) (i32.const {RET}))
            (if (i32.eqz (i32.load8_u (i32.const {RET}))) (then {accepted}))"
        ),
    );
    bad.run(format!("{each} {refused}"));
    // Keys that look like paths are names like others; a cursor is no more than a key to go on from.
    let (mut names, check) = keeper();
    names.import("list", "state", "list-keys", "(param i32 i32 i32 i32 i32 i32 i32 i32)");
    let (first, second) = (names.text("../../etc/cron.d/x"), names.text("/' OR 1=1; DROP TABLE state; --"));
    let (value, cursor, wrong) = (names.text("x"), names.text("%_'\\"), names.fail("wrong", "not the keys it wrote"));
    let (sets, none) = ([set(first, value), set(second, value)].join(&check), Text { at: 0, length: 0 });
    let list = |given: u32, cursor: Text| {
        format!(
            "(call $list (i32.const 0) {none} (i32.const {given}) {cursor} (i32.const -1) (i32.const {RET})) {check}"
        )
    };
    let counts =
        |count: u32| format!("(if (i32.ne (i32.load offset=8 (i32.const {RET})) (i32.const {count})) (then {wrong}))");
    names.run(format!("{sets} {check} {} {} {} {}", list(0, none), counts(2), list(1, cursor), counts(2)));
    let state = "state: true";
    Attacks::of(37, 32)
        .attack(Attack::guest(&large).allow(state).ends("quota-exceeded", &["limit is 1048576"]))
        .attack(Attack::guest(&many).allow(state).limits("state_entries: 500").ends("quota-exceeded", &["at most 500"]))
        .attack(
            Attack::guest(&many).allow(state).limits("state: 100kB").ends("quota-exceeded", &["at most 100000 bytes"]),
        )
        .attack(Attack::guest(&bad).allow(state).ends("quota-exceeded", &["control characters"]))
        .attack(Attack::guest(&names).allow(state).look(|seen| {
            assert_eq!(seen.report()["state_entries"], 2, "{:#}", seen.report());
            assert!(!seen.project.path("etc").exists());
        }))
        .run();
}

#[test]
fn h40_lies_about_tensors() {
    const FLOAT32: u32 = 11;
    const TEXT: u32 = 13;
    let max = u32::MAX;
    // Each shape with eight bytes of data must be refused; the last refusal is the end.
    let lies = |element: u32, shapes: &[&[u32]]| {
        let mut guest = Guest::new();
        let data = guest.bytes(&[0; 8]);
        let (accepted, refused) = (guest.fail("accepted", "a lie was believed"), guest.refused("inference", RET + 4));
        guest.import("make", "inference", "[static]tensor.from-bytes", "(param i32 i32 i32 i32 i32 i32)");
        let mut body = String::new();
        for shape in shapes {
            let (at, rank) = (guest.words(shape), shape.len());
            body += &format!(
                "(call $make (i32.const {element}) (i32.const {at}) (i32.const {rank}) {data} (i32.const {RET}))
                (if (i32.eqz (i32.load8_u (i32.const {RET}))) (then {accepted}))"
            );
        }
        guest.run(body + &refused);
        guest
    };
    let numbers = lies(
        FLOAT32,
        &[
            &[max, max, max],
            &[1 << 31, 2],
            &[1 << 16, 1 << 16],
            &[max],
            &[3],
            &[1],
            &[0],
            &[1; 17],
            &[1 << 31, 1 << 31, 4, 0],
        ],
    );
    let texts = lies(TEXT, &[&[1], &[0], &[]]);
    let zeroed = |shape: &[u32]| {
        let mut guest = Guest::new();
        let at = guest.words(shape);
        let refused = guest.refused("inference", RET + 4);
        guest.import("zeroed", "inference", "[static]tensor.zeroed", "(param i32 i32 i32 i32)").run(format!(
            "(call $zeroed (i32.const {FLOAT32}) (i32.const {at}) (i32.const {}) (i32.const {RET}))
            (if (i32.load8_u (i32.const {RET})) (then {refused}))",
            shape.len()
        ));
        guest
    };
    // Inside a tensor of sixteen bytes, and not inside.
    let mut ranges = Guest::new();
    let (shape, data) = (ranges.words(&[4]), ranges.bytes(&[0; 8]));
    let (accepted, refused) = (ranges.fail("accepted", "a range was accepted"), ranges.refused("inference", RET + 4));
    let writes: String = ["9", "16", "-1", "-8", "9223372036854775807"]
        .iter()
        .map(|offset| {
            format!(
                "(call $write (local.get $a) (i64.const {offset}) {data} (i32.const {RET}))
                (if (i32.eqz (i32.load8_u (i32.const {RET}))) (then {accepted}))"
            )
        })
        .collect();
    ranges
        .import("zeroed", "inference", "[static]tensor.zeroed", "(param i32 i32 i32 i32)")
        .import("write", "inference", "[method]tensor.write-at", "(param i32 i64 i32 i32 i32)")
        .run(format!(
            "(call $zeroed (i32.const {FLOAT32}) (i32.const {shape}) (i32.const 1) (i32.const {RET}))
            (local.set $a (i32.load offset=4 (i32.const {RET}))) {writes} {refused}"
        ));
    Attacks::of(40, 32)
        .attack(Attack::guest(&numbers).ends("bad-tensor", &[]))
        .attack(Attack::guest(&texts).ends("bad-tensor", &["text"]))
        .attack(Attack::guest(&ranges).ends("bad-tensor", &["do not lie in a tensor of 16 bytes"]))
        .attack(Attack::guest(&zeroed(&[1_000_000_000])).ends("resource-exhausted", &["4000000000 bytes"]))
        .attack(Attack::guest(&zeroed(&[max, max, max])).ends("bad-tensor", &[]))
        .run();
}

#[test]
fn h41_asks_for_models_that_are_not_its_own() {
    let mut names = Guest::new();
    names.import("open", "inference", "[static]model.open", "(param i32 i32 i32)");
    let (opened, refused) = (names.fail("opened", "a model was opened"), names.refused("inference", RET + 4));
    let each = names.each(
        &[
            "../models/slow.onnx",
            "/etc/passwd",
            "models/slow.onnx",
            "other",
            "slow@2",
            "SLOW",
            "slow\0",
            "",
            "slow/../slow",
        ],
        &format!(
            "(call $open (local.get $p) (local.get $l) (i32.const {RET}))
            (if (i32.eqz (i32.load8_u (i32.const {RET}))) (then {opened}))"
        ),
    );
    names.run(format!("{each} {refused}"));
    let model = fs::read(repository::root().join("tests/durability/slow.onnx")).unwrap();
    let config = "[models.slow]\npath = \"models/slow.onnx\"\nengine = \"rten\"\n\
                  [models.other]\npath = \"models/slow.onnx\"\nengine = \"rten\"\n";
    // The digest that it sees, before and after somebody has put another file there.
    let web = Web::start();
    web.hold("/wait");
    let mut swapped = Guest::new();
    let (name, differs) = (swapped.text("slow"), swapped.fail("differs", "another model than the one it had opened"));
    let (method, url) = (swapped.text("GET"), swapped.text(&format!("{}/wait", web.origin())));
    let refused = swapped.refused("inference", RET + 4);
    swapped
        .import("open", "inference", "[static]model.open", "(param i32 i32 i32)")
        .import("digest", "inference", "[method]model.digest", "(param i32 i32)")
        .import("send", "http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32)")
        .run(format!(
            "(call $open {name} (i32.const {RET})) (if (i32.load8_u (i32.const {RET})) (then {refused}))
            (local.set $a (i32.load offset=4 (i32.const {RET})))
            (call $digest (local.get $a) (i32.const {RET})) (local.set $p (i32.load (i32.const {RET})))
            (call $send {method} {url} (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0)
              (i32.const {RET}))
            (call $digest (local.get $a) (i32.const {RET})) (local.set $b (i32.load (i32.const {RET})))
            (loop $l
              (if (i32.ne (i32.load8_u (i32.add (local.get $p) (local.get $n)))
                          (i32.load8_u (i32.add (local.get $b) (local.get $n)))) (then {differs}))
              (br_if $l (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 64))))"
        ));
    let mut case = Case::new(41);
    let allow = format!("models: [slow], http: [{{ origin: \"{}\", private: true }}]", web.origin());
    let waiting = Attack::guest(&swapped).wall(30_000).allow(allow);
    let mut arena = Arena::start(config, |project| {
        project.write("models/slow.onnx", &model);
        waiting.install(project, "swapped");
    });
    let run = arena.node.start_run("swapped");
    web.wait_requests("/wait", 1);
    arena.project.write("models/slow.onnx", "no model at all");
    web.release();
    let view = arena.project.wait_end(&run);
    assert_eq!(view["state"], "succeeded", "{view:#}");
    case.ended("succeeded", Timed::none());
    arena.honest_work_is_done();
    case.grew(arena.growth(), 64);
    drop(arena);
    Attacks::going_on(case, 64)
        .config(config)
        .file("models/slow.onnx", model)
        .attack(Attack::guest(&names).allow("models: [slow]").ends("denied", &["may not use the model"]))
        .run();
}
