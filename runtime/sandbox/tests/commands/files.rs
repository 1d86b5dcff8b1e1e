//! `/in`: exactly the given artifacts, and no way out or in.

use std::sync::Arc;

use trackside_sandbox::CommandCall;

use super::{
    call,
    programs::{program, with_text},
    put, run_on, text,
};
use crate::support::{TestHost, failure, output};

/// Errnos of preview 1.
const NOENT: u64 = 44;
const ROFS: u64 = 69;
const PERM: u64 = 63;
const NOTCAPABLE: u64 = 76;

/// The exit code of a program that is given two files and has `path` at 8,192.
fn ends_with(path: &str, body: &str) -> u64 {
    let host = Arc::new(TestHost::new());
    let files = vec![("a.txt".to_owned(), put(&host, b"first")), ("b.txt".to_owned(), put(&host, b"second"))];
    let every = trackside_spec::ExitCodes { ok: (0..=255).collect(), retry: Vec::new() };
    let command = CommandCall { files, exit: every, ..text() };
    let bytes = with_text(path, &format!("{body} (call $exit (local.get $n))"));
    let report = run_on(&bytes, call(command), &host);
    // Whatever it tried, the artifact is what it was.
    assert_eq!(std::fs::read(host.path(&trackside_spec::Digest::of(b"first"))).unwrap(), b"first");
    output(&report)["exit_code"].as_u64().unwrap()
}

fn open(path: &str, flags: u32, rights: u64) -> u64 {
    let length = path.len();
    ends_with(
        path,
        &format!(
            "(local.set $n (call $open (i32.const 8192) (i32.const {length}) (i32.const {flags}) (i64.const {rights})))"
        ),
    )
}

#[test]
fn a_program_reads_its_files() {
    let host = Arc::new(TestHost::new());
    let command = CommandCall { files: vec![("b.txt".into(), put(&host, b"the content"))], ..text() };
    let bytes = with_text(
        "b.txt",
        "(if (call $open (i32.const 8192) (i32.const 5) (i32.const 0) (i64.const 2)) (then unreachable))
         (call $out (i32.const 4096) (call $read (i32.load (i32.const 64))))",
    );
    assert_eq!(output(&run_on(&bytes, call(command), &host))["stdout"], "the content");
}

#[test]
fn without_files_there_is_no_folder() {
    let body = "(call $exit (call $open (i32.const 0) (i32.const 1) (i32.const 0) (i64.const 2)))";
    let ok = trackside_spec::ExitCodes { ok: vec![8], retry: Vec::new() };
    let report =
        run_on(&program(body), call(CommandCall { exit: ok, ..CommandCall::default() }), &Arc::new(TestHost::new()));
    assert_eq!(output(&report)["exit_code"], 8, "EBADF: descriptor 3 is none");
}

#[test]
fn only_the_given_names_are_there() {
    const READ: u64 = 2;
    assert_eq!(open("a.txt", 0, READ), 0);
    assert_eq!(open("c.txt", 0, READ), NOENT);
    for outside in ["..", "../a", "/etc/hostname", "../../../../etc/hostname", "x/../../y"] {
        let errno = open(outside, 0, READ);
        assert!([NOENT, PERM, NOTCAPABLE].contains(&errno), "{outside}: {errno}");
    }
}

#[test]
fn nothing_can_be_written() {
    const WRITE: u64 = 64;
    let denied = [ROFS, PERM, NOTCAPABLE, 2];
    for (path, flags, what) in [("a.txt", 0, "write"), ("a.txt", 8, "truncate"), ("new", 1, "create")] {
        let errno = open(path, flags, WRITE | 2);
        assert!(denied.contains(&errno), "{what}: {errno}");
    }
    let folder = |call: &str| ends_with("a.txtlink", &format!("(local.set $n {call})"));
    for (what, call) in [
        ("remove", "(call $path_unlink_file (i32.const 3) (i32.const 8192) (i32.const 5))"),
        ("make a folder", "(call $path_create_directory (i32.const 3) (i32.const 8197) (i32.const 4))"),
        ("link", "(call $path_symlink (i32.const 8192) (i32.const 5) (i32.const 3) (i32.const 8197) (i32.const 4))"),
    ] {
        let errno = folder(call);
        assert!(denied.contains(&errno), "{what}: {errno}");
    }
}

#[test]
fn open_files_are_bounded() {
    let host = Arc::new(TestHost::new());
    let bytes = with_text(
        "a.txt",
        "(loop $more
            (br_if $more (i32.eqz (call $open (i32.const 8192) (i32.const 5) (i32.const 0) (i64.const 2)))))
         (call $exit (i32.const 1))",
    );
    let command = CommandCall { files: vec![("a.txt".into(), put(&host, b"first"))], ..text() };
    let report = run_on(&bytes, call(command), &host);
    let (code, message) = failure(&report);
    assert_eq!(code, "host-limit", "{message}");
}

#[test]
fn an_artifact_that_is_gone_and_a_name_that_is_none_are_named() {
    let host = Arc::new(TestHost::new());
    let there = put(&host, b"first");
    let mut gone = there.clone();
    gone.digest = trackside_spec::Digest::of(b"gone");
    for (name, artifact, word) in [("a", gone.clone(), "No such file"), ("../a", there, "../a")] {
        let report = run_on(
            &program("nop"),
            call(CommandCall { files: vec![(name.into(), artifact)], ..CommandCall::default() }),
            &host,
        );
        let (code, message) = failure(&report);
        assert_eq!(code, "bad-input");
        assert!(message.contains(word), "{message}");
    }
    let stdin = trackside_sandbox::CommandStdin::Artifact(gone);
    let report = run_on(&program("nop"), call(CommandCall { stdin, ..CommandCall::default() }), &host);
    assert!(failure(&report).1.contains("standard input, artifact a.txt"), "{:?}", report.outcome);
}

#[test]
fn sockets_are_linked_and_refuse() {
    let errno = ends_with("", "(local.set $n (call $sock_accept (i32.const 1) (i32.const 0) (i32.const 64)))");
    assert_ne!(errno, 0);
}
