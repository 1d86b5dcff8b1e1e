//! Guests that try the node's patience: its retries, cancels, slots, files and cache.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::{
    attack::{Arena, Attack, Attacks, is_readable},
    case::{Case, Timed},
    guest::{Guest, RET, runs},
};
use crate::support::{project::step, wait_until, web::Web};

/// Between a cancel and the end by force.
const CANCEL_GRACE: Duration = Duration::from_secs(2);

/// How many times longer honest work may take beside as many hostile steps as get in: the cores are shared among twice
/// as many steps as there are cores, and with this test.
const SHARERS: u32 = 4;

#[test]
fn h48_wants_to_be_tried_for_ever() {
    let mut guest = Guest::new();
    let (code, message) = (guest.text("again"), guest.text("once more, please"));
    guest.run(format!("(return (call $fail (i32.const 0) {code} {message}))"));
    Attacks::of(48, 32)
        .attack(
            Attack::guest(&guest)
                .more("    retry: { times: 3, wait: 1ms, max: 5ms }\n")
                .ends("again", &["once more"])
                .look(|seen| assert_eq!(seen.step()["attempts"], 4, "{:#}", seen.step())),
        )
        .run();
}

#[test]
fn h49_ignores_that_it_is_cancelled() {
    let web = Web::start();
    web.hold("/wait");
    let mut waits = Guest::new();
    let (method, url) = (waits.text("GET"), waits.text(&format!("{}/wait", web.origin())));
    waits.import("send", "http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32)").run(format!(
        "(loop $l (call $send {method} {url} (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) \
         (i32.const 0) (i32.const {RET})) (br $l))"
    ));
    let mut commits = Guest::new();
    let (port, name, media) = (commits.text("out"), commits.text("x.bin"), commits.text("text/plain"));
    let (key, value) = (commits.text("key"), commits.text("value"));
    commits
        .import("create", "artifacts", "create", "(param i32 i32 i32 i32 i32 i32 i32)")
        .import("commit", "artifacts", "[method]artifact-writer.commit", "(param i32 i32)")
        .import("set", "state", "set", "(param i32 i32 i32 i32 i32 i32 i64 i32)")
        .run(format!(
            "(call $create {port} {name} {media} (i32.const {RET}))
            (call $commit (i32.load offset=4 (i32.const {RET})) (i32.const {RET}))
            (call $set (i32.const 0) {key} {value} (i32.const 0) (i64.const 0) (i32.const {RET}))
            (loop $l (br $l))"
        ));
    let allow = format!("state: true, http: [{{ origin: \"{}\", private: true }}]", web.origin());
    let attacks = [("loops", runs("(loop $l (br $l))")), ("waits", waits.build()), ("commits", commits.build())];
    let mut case = Case::new(49);
    let mut arena = Arena::start("", |project| {
        for (name, plugin) in &attacks {
            Attack::new(plugin.clone()).cpu(3_600_000).wall(3_600_000).allow(&allow).install(project, name);
        }
    });
    for (name, _) in &attacks {
        let cancelled = || {
            let run = arena.node.start_run(name);
            wait_until("it runs", || (step(&arena.project.show(&run), "bad")["state"] == "running").then_some(()));
            let began = Instant::now();
            let (status, answer) = arena.node.ask("POST", &format!("/v1/runs/{run}/cancel"), "");
            assert_eq!(status, 200, "{answer}");
            let view = arena.project.wait_end(&run);
            let took = began.elapsed();
            let step = step(&view, "bad");
            assert_eq!((&view["state"], &step["state"]), (&"cancelled".into(), &"cancelled".into()), "{view:#}");
            assert_eq!(view["outputs"]["bad"], serde_json::Value::Null, "{view:#}");
            assert_eq!(arena.project.names(".trackside/artifacts/tmp"), [""; 0]);
            Timed { took, limit: CANCEL_GRACE }
        };
        let mut timed = cancelled();
        if timed.is_late() {
            timed = cancelled();
        }
        case.ended("cancelled", timed);
        arena.honest_work_is_done();
    }
    case.grew(arena.growth(), 48);
    case.finish();
}

#[test]
fn h50_comes_in_sixty_fours() {
    const HOSTILE: usize = 64;
    const LOOP: Duration = Duration::from_millis(300);
    // About a fifth of a second of work, so that twice that is more than a moment.
    let honest = "(local.set $n (i32.const 300000000)) (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))";
    let mut case = Case::new(50);
    let mut arena = Arena::start("", |project| {
        Attack::body("(loop $l (br $l))").cpu(300).wall(600_000).install(project, "loops");
        Attack::body(honest).cpu(60_000).wall(600_000).install(project, "works");
    });
    let worked = || {
        let began = Instant::now();
        let run = arena.node.start_run("works");
        let view = arena.project.wait_end(&run);
        assert_eq!(view["state"], "succeeded", "{view:#}");
        began.elapsed()
    };
    let solo = worked();
    let hostile: Vec<String> = (0..HOSTILE).map(|_| arena.node.start_run("loops")).collect();
    let waiting = || arena.project.runs().iter().filter(|run| run["state"] == "running").count();
    // The processors are shared by the steps that run, and one place may have to fall free first. In a queue behind all
    // others it would be the sixty-fifth.
    let limit = solo * SHARERS + LOOP;
    let mut beside = Timed { took: worked(), limit };
    if beside.is_late() {
        beside = Timed { took: worked(), limit };
    }
    // Not because they were all over by then.
    let left = waiting();
    assert!(left > HOSTILE / 4, "{left} hostile runs were left");
    case.ended("succeeded", beside);
    let mut worst = Duration::ZERO;
    for run in hostile {
        let view = arena.project.wait_end(&run);
        let step = step(&view, "bad");
        assert_eq!(step["error"]["code"], "cpu-limit", "{view:#}");
        worst = worst.max(Duration::from_micros(step["report"]["cpu_us"].as_u64().unwrap()));
    }
    case.ended("cpu-limit", Timed { took: worst, limit: LOOP });
    arena.honest_work_is_done();
    case.grew(arena.growth(), 64);
    case.finish();
}

#[test]
fn h51_changes_while_it_runs() {
    let web = Web::start();
    web.hold("/wait");
    let mut old = Guest::new();
    let (method, url, result) =
        (old.text("GET"), old.text(&format!("{}/wait", web.origin())), old.text("{\"version\":\"old\"}"));
    old.import("send", "http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32)").run(format!(
        "(call $send {method} {url} (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) \
         (i32.const {RET})) (return (call $done {result}))"
    ));
    let mut new = Guest::new();
    let result = new.text("{\"version\":\"new\"}");
    let new = new.run(format!("(return (call $done {result}))")).build();
    let mut case = Case::new(51);
    let allow = format!("http: [{{ origin: \"{}\", private: true }}]", web.origin());
    let mut arena =
        Arena::start("", |project| Attack::guest(&old).wall(60_000).allow(allow).install(project, "swapped"));
    let file = arena.project.path("plugins/swapped.wasm");
    let version = |arena: &Arena, run: &str| {
        let view = arena.project.wait_end(run);
        view["outputs"]["bad"]["version"].as_str().unwrap_or("none").to_owned()
    };
    let running = arena.node.start_run("swapped");
    web.wait_requests("/wait", 1);
    // Half of the new one, in place of the old.
    fs::write(&file, &new[..new.len() / 2]).unwrap();
    web.release();
    assert_eq!(version(&arena, &running), "old");
    // The last good one goes on being used.
    let next = arena.node.start_run("swapped");
    assert_eq!(version(&arena, &next), "old");
    case.ended("succeeded", Timed::none());
    arena.honest_work_is_done();
    case.grew(arena.growth(), 48);
    arena.start_again();
    let view = arena.project.wait_end(&arena.node.start_run("swapped"));
    let message = step(&view, "bad")["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("TS-0312"), "{view:#}");
    is_readable(&message);
    case.ended("TS-0312", Timed::none());
    arena.honest_work_is_done();
    // The whole new one is taken up by the node that runs.
    fs::write(&file, &new).unwrap();
    let next = arena.node.start_run("swapped");
    assert_eq!(version(&arena, &next), "new");
    case.finish();
}

#[test]
fn h52_has_its_compiled_code_changed() {
    let mut case = Case::new(52);
    let mut arena = Arena::start("", |_| ());
    let cache = arena.project.path(".trackside/cache");
    let files: Vec<_> = fs::read_dir(&cache).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(!files.is_empty());
    let good: Vec<_> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    type Tamper = fn(&[u8]) -> Vec<u8>;
    let tampered: [Tamper; 4] = [
        |good| good.iter().enumerate().map(|(at, byte)| if at == good.len() / 2 { byte ^ 1 } else { *byte }).collect(),
        |good| good[..good.len() / 2].to_vec(),
        // Native code without what authenticates it.
        |good| good[good.windows(4).position(|bytes| bytes == b"\x7fELF").unwrap_or(0)..].to_vec(),
        |_| Vec::new(),
    ];
    for (number, tamper) in (1..).zip(tampered) {
        for (file, good) in files.iter().zip(&good) {
            fs::write(file, tamper(good)).unwrap();
        }
        // A node that has it in memory reads it anew only after a start.
        arena.start_again();
        arena.honest_work_is_done();
        assert!(arena.node.said().matches("compiling again").count() >= number, "{}", arena.node.said());
    }
    case.ended("succeeded", Timed::none());
    case.finish();
}
