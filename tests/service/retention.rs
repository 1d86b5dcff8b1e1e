//! What is removed, what stays, and what still knows of it afterwards.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use crate::support::{
    Project,
    command::{BINARY, run},
    namespace::with_own_mounts,
    wait::{patience, wait_until},
};

const ECHO: &str = "steps:\n  a: { plugin: echo, with: { value: 1 } }\n";
const TAKE: &str = "steps:\n  look: { plugin: echo, with: { value: \"${trigger.file}\" } }\n";

fn ids(project: &Project) -> Vec<String> {
    project.runs().iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

fn take(project: &Project, content: &str) -> String {
    project.write("data.txt", content);
    let view = project.run(&["run", "take", "--file", "data.txt", "--json"]).ok().json();
    let digest = view["outputs"]["look"]["value"]["artifact"].as_str().unwrap();
    digest.strip_prefix("sha256:").unwrap().to_owned()
}

fn go(preview: &Value) -> Vec<(String, String, u64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = preview["would_go"].as_array().unwrap().iter();
    rows.map(|row| (text(&row["workflow"]), text(&row["because_of"]), row["runs"].as_u64().unwrap())).collect()
}

#[test]
fn more_runs_than_are_kept_go_and_usage_still_counts_them() {
    let project = Project::new();
    project.workflow("hello", &format!("retention: {{ runs: 2 }}\n{ECHO}"));
    project.workflow("other", ECHO);
    for _ in 0..5 {
        project.run(&["run", "hello"]).ok();
    }
    project.run(&["run", "other"]).ok();
    let before = ids(&project);
    let preview = || project.run(&["prune", "--dry-run", "--json"]).ok().json();
    assert_eq!(ids(&project), before, "a dry run removes nothing");
    let removed = project.run(&["prune", "--json"]).ok().json();
    assert_eq!(removed["runs"], 3, "{removed}");
    // Newest first: that of `other`, and two of `hello`.
    assert_eq!(ids(&project), before[..3], "the oldest go");
    assert!(go(&preview()).is_empty(), "nothing is left to go: {}", preview());
    assert_eq!(project.run(&["prune", "--json"]).ok().json()["runs"], 0);
    let oldest = before.last().unwrap();
    project.run(&["runs", "show", oldest]).exits(2).says(&[oldest]);
    let usage = project.run(&["usage", "--json"]).ok().json();
    let day = usage["days"].as_array().unwrap().iter().find(|day| day["workflow"] == "hello").unwrap().clone();
    assert_eq!(
        (&day["runs"], &day["succeeded"], &day["failed"], &day["attempts"]),
        (&5.into(), &5.into(), &0.into(), &5.into())
    );
    assert!(day["wall_us"].as_u64().unwrap() > 0 && day["bytes_written"].as_u64().unwrap() > 500, "{day}");
    let held = usage["held"].as_array().unwrap().iter().find(|held| held["workflow"] == "hello").unwrap().clone();
    assert_eq!(held["runs"], 2, "{held}");
    project.run(&["usage"]).ok().prints(&["WORKFLOW", "hello", "other"]);
    project.run(&["usage", "--by-day", "--workflow", "hello"]).ok().prints(&["DAY", "hello"]);
    project.run(&["usage", "--workflow", "helo"]).exits(2).says(&["hello"]);
}

#[test]
fn a_dry_run_says_what_would_go_and_why() {
    let project = Project::new();
    project.workflow("hello", ECHO);
    for _ in 0..4 {
        project.run(&["run", "hello"]).ok();
    }
    // What is held is entered when the journal is read.
    let preview = project.run(&["prune", "--dry-run", "--json"]).ok().json();
    assert!(preview["entries_not_counted"].as_u64().unwrap() >= 4, "{preview}");
    project.run(&["prune"]).ok().says(&["0 runs"]);
    project.write("trackside.toml", "[retention]\nruns = 1\n");
    let preview = project.run(&["prune", "--dry-run", "--json"]).ok().json();
    assert_eq!(go(&preview), [("hello".to_owned(), "runs".to_owned(), 3)]);
    project.write("trackside.toml", "[retention]\nbytes = \"1B\"\n");
    let preview = project.run(&["prune", "--dry-run", "--json"]).ok().json();
    assert_eq!(go(&preview), [("hello".to_owned(), "box".to_owned(), 3)], "the newest run stays in any case");
    project.run(&["prune", "--dry-run"]).ok().prints(&["BECAUSE OF", "box"]);
    assert_eq!(ids(&project).len(), 4);
    // Bytes below one run: all but the newest go, and that there is no more is told.
    project.run(&["prune"]).ok().says(&["3 runs", "TS-0214"]);
    assert_eq!(ids(&project).len(), 1);
}

#[test]
fn an_artifact_goes_with_the_last_run_that_names_it() {
    // In the database, and as files.
    for times in [1, 20_000] {
        let project = Project::new();
        project.workflow("take", &format!("retention: {{ runs: 2 }}\n{TAKE}"));
        let content = |text: &str| text.repeat(times);
        let one = take(&project, &content("one"));
        let shared = take(&project, &content("shared"));
        let two = take(&project, &content("two"));
        assert_eq!(take(&project, &content("shared")), shared);
        let removed = project.run(&["prune", "--json"]).ok().json();
        assert_eq!((&removed["runs"], &removed["files"]), (&2.into(), &1.into()), "{removed}");
        assert_eq!(project.artifacts(), BTreeSet::from([two.clone(), shared.clone()]), "{one} goes");
        assert_eq!(project.artifact_file(&two).is_some(), times > 1);
        project.run(&["artifact", "verify"]).ok().says(&["2 artifacts", "0 problems"]);
        // It is made anew when it comes again.
        take(&project, &content("one"));
        project.run(&["prune"]).ok();
        assert_eq!(project.artifacts(), BTreeSet::from([one, shared]));
        project.run(&["artifact", "verify"]).ok();
    }
}

#[test]
fn keeping_nothing_is_refused() {
    let project = Project::new();
    project.workflow("hello", &format!("retention: {{ runs: 0, age: 1s, bytes: 0B }}\n{ECHO}"));
    project.run(&["check"]).exits(1).says(&["TS-0103", "at least 1", "at least 1m"]);
    project.workflow("hello", ECHO);
    project.write("trackside.toml", "[retention]\nbytes = \"0B\"\nledger = \"1s\"\nruns = 0\n");
    project.run(&["check"]).exits(3).says(&["TS-0103", "nothing could be kept", "at least 1m", "at least 1:"]);
    project.write("trackside.toml", "[retention]\nbytes = \"101%\"\n");
    project.run(&["check"]).exits(3).says(&["101%", "25%"]);
}

#[test]
fn nothing_is_removed_while_a_workflow_that_may_keep_more_can_not_be_read() {
    let project = Project::new();
    project.write("trackside.toml", "[retention]\nruns = 1\n");
    project.workflow("hello", &format!("retention: {{ runs: 9 }}\n{ECHO}"));
    for _ in 0..3 {
        project.run(&["run", "hello"]).ok();
    }
    project.workflow("hello", "retention: { runs: 9 }\nsteps: 7\n");
    project.run(&["prune"]).exits(3).says(&["TS-0740", "hello.yaml"]);
    assert_eq!(ids(&project).len(), 3);
}

#[test]
fn a_node_removes_by_itself_and_on_demand_and_says_what_is_kept() {
    let project = Project::new();
    project.workflow("hello", &format!("retention: {{ runs: 2 }}\n{ECHO}"));
    let node = project.serve();
    for _ in 0..4 {
        node.start_run("hello");
    }
    wait_until("four runs", || {
        (project.runs().iter().filter(|run| run["state"] == "succeeded").count() == 4).then_some(())
    });
    let removed = project.run(&["prune", "--json"]).ok().json();
    assert_eq!(removed["runs"], 2, "{removed}");
    let status = project.run(&["status", "--json"]).ok().json();
    assert_eq!(status["workflows"][0]["runs_kept"], 2, "{status}");
    assert!(status["workflows"][0]["bytes_kept"].as_u64().unwrap() > 100, "{status}");
    for _ in 0..3 {
        node.start_run("hello");
    }
    wait_until("what is not kept goes by itself", || (project.runs().len() == 2).then_some(()));
    node.wait_said("retention has removed what is not kept");
}

/// A node on a small file system that something else fills to its last byte. What ended runs hold is all that can go.
const SCRIPT: &str = r#"
set -eu
mount -t tmpfs -o size=64m,mode=0700 none .trackside
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
  head -c 2000000 /dev/urandom >data
  "$BINARY" run take --file data >out 2>&1
done
"$BINARY" serve 2>log & node=$!
trap 'kill -9 $node' EXIT
until [ -S .trackside/trackside.sock ] && [ -f .trackside/reserve ]; do sleep 0.05; done
cat /dev/zero >.trackside/filler 2>/dev/null || true
"$BINARY" run hello --detach >out 2>&1 & waiting=$!
until grep -q TS-0216 log; do sleep 0.05; done
until grep -q 'the reserve is restored' log; do sleep 0.05; done
wait $waiting
"$BINARY" run hello
"$BINARY" artifact verify
echo "takes left: $("$BINARY" runs list --workflow take --json | grep -c '"run"')"
echo "hellos: $("$BINARY" runs list --workflow hello --state succeeded --json | grep -c '"run"')"
echo "reserve: $(stat -c %s .trackside/reserve)"
"$BINARY" status
cat log
"#;

#[test]
fn a_disk_that_is_filled_to_its_last_byte_is_left_by_removing_what_can_go() {
    let Some(mut command) = with_own_mounts("the reserve", SCRIPT) else { return };
    let project = Project::new();
    project.write("trackside.toml", "[node]\nmin_free = \"0B\"\n[retention]\nreserve = \"6MiB\"\nbytes = \"100%\"\n");
    project.workflow("hello", ECHO);
    project.workflow("take", TAKE);
    fs::create_dir_all(project.path(".trackside")).unwrap();
    command.env("BINARY", BINARY).current_dir(project.root());
    let ran = run(command, patience()).ok().prints(&["hellos: 2", "reserve: 6291456", "retention has removed"]);
    let left = ran.stdout.lines().find_map(|line| line.strip_prefix("takes left: ")).unwrap();
    let left: u32 = left.parse().unwrap();
    assert!((1..12).contains(&left), "as much as needed goes, and the newest stays: {ran}");
}
