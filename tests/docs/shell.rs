//! Runs a page's blocks in one shell, in a copy of the repository.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    page::Page,
    support::{command, project::copy, repository::root, wait::patient},
};

/// No page takes longer.
const DEADLINE: Duration = Duration::from_secs(900);

/// What comes before the blocks. `$BINARY` is the binary under test, `$SCRATCH` a folder for the shell's own files.
const BEFORE: &str = r#"set -euo pipefail
server=
stop_server() { if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" || true; server=; fi; }
trap stop_server EXIT
trackside() {
    case " $* " in
    *" serve "* | *" --serve "*) ;;
    *) "$BINARY" "$@"; return ;;
    esac
    stop_server
    : > "$SCRATCH/server.log"
    "$BINARY" "$@" 2> "$SCRATCH/server.log" &
    server=$!
    until grep -q ' is ready' "$SCRATCH/server.log"; do
        kill -0 "$server" 2>/dev/null || { cat "$SCRATCH/server.log" >&2; echo "the node did not start" >&2; exit 1; }
        read -r -t 0.05 <> "$SCRATCH/never" || true
    done
}
git() {
    [ "$1" = clone ] || { echo "this suite does not know what to do about git $1" >&2; exit 1; }
    ln -s . "${2##*/}"
}
cargo() {
    case "$1" in
    build | test | bench | clippy | fmt) ;;
    run) while [ "$1" != -- ]; do shift; done; shift; trackside "$@" ;;
    *) echo "this suite does not know what to do about cargo $1" >&2; exit 1 ;;
    esac
}
"#;

/// Runs all blocks of a page in the folder `place` of the copy. Pages without blocks are fine.
#[track_caller]
pub fn run(page: &Page, place: &Path) {
    let blocks = page.blocks();
    if blocks.is_empty() {
        return;
    }
    let scratch = tempfile::Builder::new().prefix("ts-").tempdir().unwrap();
    let copied = scratch.path().join("repo");
    copy_repository(&copied);
    // A pipe that is never written to: reading from it is a pause.
    let never = scratch.path().join("never");
    let made = Command::new("mkfifo").arg(&never).status().unwrap();
    assert!(made.success(), "mkfifo failed");
    let mut script = BEFORE.to_owned();
    for block in &blocks {
        script.push_str(&format!("echo '--- {}:{}' >&2\n{}", page.name(), block.line, block.text));
    }
    let mut shell = Command::new("bash");
    shell.args(["-c", &script]).current_dir(copied.join(place)).stdin(Stdio::null());
    shell.env("BINARY", command::BINARY).env("SCRATCH", scratch.path()).env("LC_ALL", "C.UTF-8");
    shell.env("TMPDIR", scratch.path());
    shell.env_remove("TRACKSIDE_PROJECT").env_remove("TRACKSIDE_LOG").env_remove("NOTIFY_SOCKET");
    let ran = command::run(shell, patient(DEADLINE));
    let log = fs::read_to_string(scratch.path().join("server.log")).unwrap_or_default();
    assert_eq!(
        ran.code(),
        0,
        "{}\n--- stdout\n{}\n--- stderr\n{}\n--- node\n{log}",
        page.name(),
        ran.stdout,
        ran.stderr
    );
}

/// The examples are copied, because they are written to; the rest is only read.
fn copy_repository(to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if name == "examples" {
            copy(&entry.path(), &to.join(name));
        } else if name != "target" && name != ".git" {
            symlink(entry.path(), to.join(name)).unwrap();
        }
    }
}
