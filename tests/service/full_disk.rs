//! A full disk.

use std::fs;

use crate::support::{
    Project,
    command::{BINARY, run},
    namespace::with_own_mounts,
    wait::patience,
};

/// A node on a small file system of its own that is filled up and emptied again; everything that it and `status` say goes
/// to standard output.
const SCRIPT: &str = r#"
set -eu
mount -t tmpfs -o size=4m,mode=0700 none .trackside
"$BINARY" run hello >out 2>&1
"$BINARY" serve 2>log & node=$!
trap 'kill -9 $node' EXIT
until [ -S .trackside/trackside.sock ]; do sleep 0.05; done
cat /dev/zero >.trackside/filler 2>/dev/null || true
# More than what is left of the log's last block.
"$BINARY" run hello --detach -p text="$(printf '%5000s' .)" >out 2>&1 & waiting=$!
until grep -q TS-0207 log; do sleep 0.05; done
until "$BINARY" status --json | grep -q TS-0207; do sleep 0.05; done
# Who asks for something is told, too.
until grep -q TS-0207 out; do sleep 0.05; done
rm .trackside/filler
until grep -q 'commits work again' log; do sleep 0.05; done
wait $waiting
sed 's/^/told: /' out
until [ "$("$BINARY" runs list --state succeeded --json | grep -c '"run"')" = 2 ]; do sleep 0.05; done
"$BINARY" status
cat log
"#;

#[test]
fn a_full_disk_is_told_as_one_and_so_is_its_end() {
    let Some(mut command) = with_own_mounts("a full disk", SCRIPT) else { return };
    let project = Project::new();
    project.write("trackside.toml", "[node]\nmin_free = \"0B\"\n");
    project.workflow(
        "hello",
        "params: { text: { type: string, default: \"\" } }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n",
    );
    fs::create_dir_all(project.path(".trackside")).unwrap();
    command.env("BINARY", BINARY).current_dir(project.root());
    let ran = run(command, patience()).ok().prints(&[
        "the disk is full",
        "make room",
        "commits work again",
        "told: warning[TS-0207]",
        "this waits for it",
    ]);
    assert!(!ran.stdout.contains("move it away"), "{ran}");
}
