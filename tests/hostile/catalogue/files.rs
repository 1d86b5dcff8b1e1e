//! Guests that read and write what is not theirs.

use std::{fs, thread};

use super::{
    attack::{Arena, Attack, Attacks, Seen},
    case::{Case, Timed},
    guest::{Guest, RET},
};
use crate::support::{Project, project::step, wait_until, web::Web};

/// A guest that makes artifacts.
fn writer() -> Guest {
    let mut guest = Guest::new();
    guest
        .import("create", "artifacts", "create", "(param i32 i32 i32 i32 i32 i32 i32)")
        .import("write", "artifacts", "[method]artifact-writer.write", "(param i32 i32 i32 i32)")
        .import("commit", "artifacts", "[method]artifact-writer.commit", "(param i32 i32)");
    guest
}

/// Ends with the host's error, if the last call gave one.
fn check(guest: &mut Guest) -> String {
    let refused = guest.refused("artifact", RET + 4);
    format!("(if (i32.load8_u (i32.const {RET})) (then {refused}))")
}

/// Begins an artifact of a port; its writer is in `$a`.
fn begin(guest: &mut Guest, port: &str) -> String {
    let (port, name, media, check) = (guest.text(port), guest.text("x.bin"), guest.text("text/plain"), check(guest));
    format!(
        "(call $create {port} {name} {media} (i32.const {RET})) {check} (local.set $a (i32.load offset=4 (i32.const {RET})))"
    )
}

/// Asks this URL and waits for the answer.
fn waits(guest: &mut Guest, url: &str) -> String {
    guest.import("send", "http", "send", "(param i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32)");
    let (method, url, refused) = (guest.text("GET"), guest.text(url), guest.refused("http", RET + 4));
    format!(
        "(call $send {method} {url} (i32.const 0) (i32.const 0) (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) \
         (i32.const {RET}))
        (if (i32.load8_u (i32.const {RET})) (then {refused}))"
    )
}

/// Temporary files of artifacts.
fn half_artifacts(project: &Project) -> Vec<String> {
    project.names(".trackside/artifacts/tmp")
}

#[track_caller]
fn nothing_is_left(seen: &Seen<'_>) {
    assert_eq!(half_artifacts(seen.project), [""; 0]);
    assert_eq!(seen.view["outputs"]["bad"], serde_json::Value::Null, "{:#}", seen.view);
    assert_eq!(seen.view["deliveries"], serde_json::json!([]), "{:#}", seen.view);
    assert!(!seen.project.path("out").exists());
}

/// A program that tries to get out of `/in`, with the number of what succeeded as its exit code.
fn climber() -> Vec<u8> {
    const READ: u64 = 1 << 1;
    const WRITE: u64 = 1 << 6;
    const CREATE: u32 = 1;
    const TRUNCATE: u32 = 8;
    let mut guest = Guest::new();
    let mut attempts = String::new();
    let mut number = 0;
    let mut attempt = |call: String| {
        number += 1;
        attempts.push_str(&format!("(if (i32.eqz {call}) (then (call $exit (i32.const {number}))))\n"));
    };
    let open = |guest: &mut Guest, path: &str, flags: u32, rights: u64| {
        let path = guest.text(path);
        format!(
            "(call $open (i32.const 3) (i32.const 1) {path} (i32.const {flags}) (i64.const {rights}) (i64.const 0) \
             (i32.const 0) (i32.const {RET}))"
        )
    };
    for path in [
        "../x",
        "/etc/passwd",
        "..",
        "../../../../etc/passwd",
        "x/",
        "x/..",
        "x/../../x",
        "//etc/passwd",
        "./../x",
        "/in/x",
    ] {
        attempt(open(&mut guest, path, 0, READ));
    }
    for (path, flags, rights) in [
        ("x", 0, WRITE),
        ("x", TRUNCATE, READ),
        ("x", TRUNCATE, WRITE),
        ("new", CREATE, READ | WRITE),
        ("new/", CREATE, READ),
        ("../new", CREATE, WRITE),
    ] {
        attempt(open(&mut guest, path, flags, rights));
    }
    let (x, y, passwd) = (guest.text("x"), guest.text("y"), guest.text("/etc/passwd"));
    attempt(format!("(call $mkdir (i32.const 3) {y})"));
    attempt(format!("(call $symlink {passwd} (i32.const 3) {y})"));
    attempt(format!("(call $link (i32.const 3) (i32.const 0) {x} (i32.const 3) {y})"));
    attempt(format!("(call $rename (i32.const 3) {x} (i32.const 3) {y})"));
    attempt(format!("(call $unlink (i32.const 3) {x})"));
    // With the file open for reading, which is what it may.
    let (control, vector) = (open(&mut guest, "x", 0, READ), guest.words(&[x.at, 1]));
    attempts.push_str(&format!(
        "(if {control} (then (call $exit (i32.const 100)))) (local.set $a (i32.load (i32.const {RET})))\n"
    ));
    for call in [
        "(call $resize (local.get $a) (i64.const 0))".to_owned(),
        format!("(call $write (local.get $a) (i32.const {vector}) (i32.const 1) (i32.const 128))"),
        // There is no other folder.
        "(call $prestat (i32.const 4) (i32.const 128))".to_owned(),
    ] {
        number += 1;
        attempts.push_str(&format!("(if (i32.eqz {call}) (then (call $exit (i32.const {number}))))\n"));
    }
    guest.command(
        &[
            ("path_open", "open", "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)"),
            ("path_create_directory", "mkdir", "(param i32 i32 i32) (result i32)"),
            ("path_symlink", "symlink", "(param i32 i32 i32 i32 i32) (result i32)"),
            ("path_link", "link", "(param i32 i32 i32 i32 i32 i32 i32) (result i32)"),
            ("path_rename", "rename", "(param i32 i32 i32 i32 i32 i32) (result i32)"),
            ("path_unlink_file", "unlink", "(param i32 i32 i32) (result i32)"),
            ("fd_filestat_set_size", "resize", "(param i32 i64) (result i32)"),
            ("fd_write", "write", "(param i32 i32 i32 i32) (result i32)"),
            ("fd_prestat_get", "prestat", "(param i32 i32) (result i32)"),
            ("proc_exit", "exit", "(param i32)"),
        ],
        &attempts,
    )
}

#[test]
fn h22_leaves_its_folder() {
    Attacks::of(22, 32)
        .file("data.txt", "the data")
        .attack(
            Attack::new(climber())
                .more("    command: { files: { x: data.txt }, stdout: text }\n")
                .look(|seen| assert_eq!(seen.project.read("data.txt"), "the data")),
        )
        .run();
}

#[test]
fn h23_gives_artifacts_names_that_are_paths() {
    let mut guest = writer();
    let (port, media) = (guest.text("out"), guest.text("text/plain"));
    let accepted = guest.fail("accepted", "a name was accepted that is a path");
    let long = "x".repeat(4_096);
    let names = [
        "../../etc/cron.d/x",
        "/etc/x",
        "a/b",
        "a\\b",
        "..",
        ".",
        "",
        "a\0b",
        "a\nb",
        "\u{202e}gpj.exe",
        "\u{1b}[2J",
        &long,
    ];
    let each = guest.each(
        &names,
        &format!(
            "(call $create {port} (local.get $p) (local.get $l) {media} (i32.const {RET}))
            (if (i32.eqz (i32.load8_u (i32.const {RET}))) (then {accepted}))"
        ),
    );
    let refused = guest.refused("artifact", RET + 4);
    guest.run(format!("{each} {refused}"));
    let mut typed = writer();
    let (name, accepted) = (typed.text("x"), typed.fail("accepted", "a media type was accepted that is none"));
    let port = typed.text("out");
    let each = typed.each(
        &["text/html\r\nx: y", "", "text", &long],
        &format!(
            "(call $create {port} {name} (local.get $p) (local.get $l) (i32.const {RET}))
            (if (i32.eqz (i32.load8_u (i32.const {RET}))) (then {accepted}))"
        ),
    );
    let refused = typed.refused("artifact", RET + 4);
    typed.run(format!("{each} {refused}"));
    Attacks::of(23, 32)
        .attack(Attack::guest(&guest).ends("io", &["no artifact name"]))
        .attack(Attack::guest(&typed).ends("io", &["no media type"]))
        .run();
}

#[test]
fn h24_writes_a_terabyte() {
    let mut writes = writer();
    let (begin_out, failed) = (begin(&mut writes, "out"), check(&mut writes));
    writes.pages(32).run(format!(
        "{begin_out} (loop $l (call $write (local.get $a) (i32.const 65536) (i32.const 1048576) (i32.const {RET})) {failed} (br $l))"
    ));
    // Each artifact is the last one twice.
    let mut doubles = writer();
    doubles.import("splice", "artifacts", "[method]artifact-writer.splice-from", "(param i32 i32 i64 i32 i64 i32)");
    let (begin_many, failed) = (begin(&mut doubles, "many"), check(&mut doubles));
    let over = doubles.refused("artifact", RET + 8);
    let splice = format!(
        "(call $splice (local.get $a) (local.get $b) (i64.const 0) (i32.const 0) (i64.const 0) (i32.const {RET}))
        (if (i32.load8_u (i32.const {RET})) (then {over}))"
    );
    let commit = format!(
        "(call $commit (local.get $a) (i32.const {RET})) {failed} (local.set $b (i32.load offset=4 (i32.const {RET})))"
    );
    doubles.pages(32).run(format!(
        "{begin_many} (call $write (local.get $a) (i32.const 65536) (i32.const 1048576) (i32.const {RET})) {failed} {commit}
        (loop $l {begin_many} {splice} {splice} {commit} (br $l))"
    ));
    let mut attacks = Attacks::of(24, 48);
    for guest in [writes, doubles] {
        attacks = attacks.attack(
            Attack::guest(&guest)
                .limits("artifact: 24MiB")
                .ends("quota-exceeded", &["limit is 25165824"])
                .look(nothing_is_left),
        );
    }
    attacks.run();
}

#[test]
fn h25_makes_a_million_artifacts() {
    let mut commits = writer();
    let (begin_many, failed) = (begin(&mut commits, "many"), check(&mut commits));
    commits.run(format!("(loop $l {begin_many} (call $commit (local.get $a) (i32.const {RET})) {failed} (br $l))"));
    let mut opens = writer();
    let begin_many = begin(&mut opens, "many");
    opens.run(format!("(loop $l {begin_many} (br $l))"));
    Attacks::of(25, 48)
        .attack(
            Attack::guest(&commits)
                .limits("artifacts: 100")
                .ends("quota-exceeded", &["at most 100 artifacts"])
                .look(nothing_is_left),
        )
        .attack(Attack::guest(&opens).ends("quota-exceeded", &["open at once"]).look(nothing_is_left))
        .run();
}

#[test]
fn h26_reads_a_file_that_its_owner_changes() {
    const SIZE: usize = 8 << 20;
    let mut case = Case::new(26);
    let web = Web::start();
    web.hold("/wait");
    let mut guest = Guest::new();
    let (port, other) = (guest.text("in"), guest.fail("changed", "the file changed while it was read"));
    let (failed, wait) = (check(&mut guest), waits(&mut guest, &format!("{}/wait", web.origin())));
    let read = format!(
        "(global.set $heap (local.get $b))
        (call $read (local.get $a) (i32.const 65536) (i32.const {RET})) {failed}
        (local.set $l (i32.load offset=8 (i32.const {RET})))
        (local.set $n (i32.add (local.get $n) (local.get $l)))
        (if (local.get $l)
          (then (if (i32.ne (i32.load8_u (i32.load offset=4 (i32.const {RET}))) (i32.const 97)) (then {other}))))"
    );
    guest
        .import("input", "artifacts", "input", "(param i32 i32 i32)")
        .import("open", "artifacts", "[method]artifact.open", "(param i32 i32)")
        .import("read", "artifacts", "[method]reader.read", "(param i32 i32 i32)")
        .run(format!(
            "(call $input {port} (i32.const {RET})) {failed}
            (call $open (i32.load (i32.load offset=4 (i32.const {RET}))) (i32.const {RET})) {failed}
            (local.set $a (i32.load offset=4 (i32.const {RET}))) (local.set $b (global.get $heap))
            {read} {wait} (loop $more {read} (br_if $more (local.get $l)))
            (if (i32.ne (local.get $n) (i32.const {SIZE})) (then {other}))"
        ));
    let plugin = guest.build();
    let allow = format!("http: [{{ origin: \"{}\", private: true }}]", web.origin());
    let mut arena = Arena::start("", |project| {
        project.write("plugins/bad.wasm", plugin);
        project.write("data.txt", "a".repeat(SIZE));
        project.workflow(
            "bad",
            &format!(
                "steps:\n  bad:\n    plugin: bad\n    with: {{ in: \"${{trigger.file}}\" }}\n    limits: {{ cpu: 5s, wall: \
                 60s }}\n    allow: {{ {allow} }}\n"
            ),
        );
    });
    let view = thread::scope(|scope| {
        let run = scope.spawn(|| arena.project.run(&["run", "bad", "--file", "data.txt", "--json"]));
        web.wait_requests("/wait", 1);
        // In place, so that whoever has it open sees it.
        fs::File::options().write(true).open(arena.project.path("data.txt")).unwrap().set_len(0).unwrap();
        arena.project.write("data.txt", "b".repeat(SIZE));
        arena.project.drop_file("data.txt", "something else");
        web.release();
        run.join().unwrap().ok().json()
    });
    let report = &step(&view, "bad")["report"];
    assert_eq!(report["artifact_bytes_read"], SIZE, "{view:#}");
    let took = std::time::Duration::from_micros(report["wall_us"].as_u64().unwrap());
    case.ended("succeeded", Timed { took, limit: std::time::Duration::from_secs(60) });
    arena.honest_work_is_done();
    case.grew(arena.growth(), 48);
    case.finish();
}

#[test]
fn h27_ends_in_the_middle_of_an_artifact() {
    let half = |web: &Web| {
        let mut guest = writer();
        let (begin, failed, wait) =
            (begin(&mut guest, "out"), check(&mut guest), waits(&mut guest, &format!("{}/wait", web.origin())));
        let write = format!(
            "{begin} (call $write (local.get $a) (i32.const 65536) (i32.const 1048576) (i32.const {RET})) {failed}"
        );
        guest.pages(32);
        (guest, write, wait)
    };
    let web = Web::start();
    let (mut traps, write, _) = half(&web);
    traps.run(format!("{write} unreachable"));
    let (mut waits, write, wait) = half(&web);
    waits.run(format!("{write} {wait}"));
    let allow = format!("http: [{{ origin: \"{}\", private: true }}]", web.origin());
    let waiting = Attack::guest(&waits).allow(allow);
    // The node first: it is killed while the guest writes.
    web.hold("/wait");
    let mut killed = Case::new(27);
    let mut arena = Arena::start("", |project| waiting.install(project, "half"));
    arena.node.start_run("half");
    web.wait_requests("/wait", 1);
    assert_eq!(half_artifacts(&arena.project).len(), 1, "the guest writes into a temporary file");
    arena.node.signal(rustix::process::Signal::KILL);
    wait_until("the node's end", || arena.node.has_ended().then_some(()));
    arena.node = arena.project.serve();
    web.wait_requests("/wait", 2);
    assert_eq!(half_artifacts(&arena.project).len(), 1, "what the killed node left behind is swept");
    web.release();
    let runs = wait_until("the end of the run", || {
        let runs = arena.project.runs();
        runs.iter().all(|run| run["state"] != "running").then_some(runs)
    });
    assert!(runs.iter().any(|run| run["workflow"] == "half" && run["state"] == "succeeded"), "{runs:#?}");
    assert_eq!(half_artifacts(&arena.project), [""; 0]);
    killed.ended("succeeded", Timed::none());
    arena.honest_work_is_done();
    Attacks::going_on(killed, 48).attack(Attack::guest(&traps).ends("trap", &[]).look(nothing_is_left)).run();
}

#[test]
fn h28_commits_and_then_fails() {
    let commits = || {
        let mut guest = writer();
        let (begin, failed, path) = (begin(&mut guest, "out"), check(&mut guest), guest.text("out/x.bin"));
        let (key, value, refused) = (guest.text("key"), guest.text("value"), guest.refused("outbox", RET + 4));
        guest.import("set", "state", "set", "(param i32 i32 i32 i32 i32 i32 i64 i32)").import(
            "deliver",
            "outbox",
            "deliver",
            "(param i32 i32 i32 i32 i32)",
        );
        let body = format!(
            "{begin} (call $commit (local.get $a) (i32.const {RET})) {failed}
            (call $deliver (i32.load offset=4 (i32.const {RET})) {path} (i32.const 2) (i32.const {RET}))
            (if (i32.load8_u (i32.const {RET})) (then {refused}))
            (call $set (i32.const 0) {key} {value} (i32.const 0) (i64.const 0) (i32.const {RET})) {failed}"
        );
        (guest, body)
    };
    let (mut fails, body) = commits();
    let failure = fails.fail("after-all", "it was committed, and fails after all");
    fails.run(format!("{body} {failure}"));
    let (mut traps, body) = commits();
    traps.run(format!("{body} unreachable"));
    // The control: what the others do would work.
    let (mut works, body) = commits();
    works.run(body);
    let allow = "state: true, deliver: [out]";
    let look = |seen: &Seen<'_>| {
        nothing_is_left(seen);
        assert_eq!(seen.report()["state_entries"], 1, "it had staged a write: {:#}", seen.report());
    };
    Attacks::of(28, 32)
        .attack(Attack::guest(&fails).allow(allow).ends("after-all", &["fails after all"]).look(look))
        .attack(Attack::guest(&traps).allow(allow).ends("trap", &[]).look(look))
        .run();
    let arena = Arena::start("", |project| Attack::guest(&works).allow(allow).install(project, "works"));
    let view = arena.project.wait_end(&arena.node.start_run("works"));
    assert_eq!(view["state"], "succeeded", "{view:#}");
    assert!(arena.project.path("out/x.bin").exists(), "{view:#}");
}
