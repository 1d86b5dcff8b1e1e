//! Pausing, repeating, backfilling, replaying, and why.

use serde_json::Value;

use crate::support::{Project, wait_until};

const KEEP: &str = "triggers:\n  - file: { path: inbox, glob: \"*.csv\", claim: keep, settle: 10ms }\n\
                    steps:\n  look: { plugin: echo, with: { name: \"${trigger.file.name}\" } }\n";

const DAILY: &str = "triggers:\n  - cron: { schedule: \"@daily\" }\n\
                     steps:\n  look: { plugin: echo, with: { value: \"${trigger.logical_time}\" } }\n";

fn decisions(project: &Project, subject: &str) -> Vec<Value> {
    let told = project.run(&["explain", subject, "--json"]).ok().json();
    told["triggers"][0]["decisions"].as_array().cloned().unwrap_or_default()
}

#[test]
fn files_of_a_paused_trigger_stay_and_start_their_runs_afterwards() {
    let project = Project::new();
    project.workflow("keep", KEEP);
    project.run(&["trigger", "pause", "keep/file-0"]).ok();
    let node = project.serve();
    project.run(&["trigger", "test", "keep/file-0"]).ok().says(&["No file that fits lies in inbox now"]);
    project.drop_file("inbox/a.csv", "a\n");
    project.run(&["explain", "inbox/a.csv"]).ok().prints(&["paused", "resumed"]);
    project.run(&["trigger", "test", "keep/file-0"]).ok().prints(&["a.csv", "stay"]);
    assert!(project.runs().is_empty());
    project.run(&["trigger", "resume", "keep/file-0"]).ok();
    let runs = project.wait_runs(1);
    let run = runs[0]["run"].as_str().unwrap();
    project.wait_end(run);
    let told = decisions(&project, "inbox/a.csv");
    assert_eq!((told[0]["decision"].as_str(), told[0]["run"].as_str()), (Some("started"), Some(run)));
    assert_eq!(decisions(&project, run)[0]["about"], "a.csv");
    drop(node);
}

#[test]
fn times_of_a_paused_trigger_are_recorded_and_start_nothing() {
    let project = Project::new();
    project.workflow("tick", &DAILY.replace("@daily", "* * * * * *"));
    let node = project.serve();
    project.run(&["trigger", "pause", "tick/cron-0"]).ok();
    wait_until("a paused time", || {
        decisions(&project, "tick/cron-0").iter().any(|decision| decision["decision"] == "paused").then_some(())
    });
    let listed = project.run(&["trigger", "list", "--json"]).ok().json();
    assert_eq!(listed[0]["paused"], true);
    drop(node);
}

#[test]
fn a_backfill_that_is_repeated_starts_nothing_more() {
    let project = Project::new();
    project.workflow("daily", DAILY);
    let span = ["backfill", "daily", "--from", "2026-01-01", "--to", "2026-01-03", "--json"];
    let states = |told: &Value| -> Vec<String> {
        let times = told["times"].as_array().unwrap();
        times.iter().map(|time| time["state"].as_str().unwrap().to_owned()).collect()
    };
    let would = project.run(&[&span[..], &["--dry-run"]].concat()).ok().json();
    assert_eq!(states(&would), ["would-run"; 3]);
    assert_eq!(states(&project.run(&span).ok().json()), ["succeeded"; 3]);
    assert_eq!(states(&project.run(&span).ok().json()), ["done"; 3]);
    assert_eq!(project.runs().len(), 3);
}

#[test]
fn a_backfill_spends_no_time_on_what_the_file_said_before() {
    let project = Project::new();
    let daily = |value: &str| {
        format!(
            "triggers:\n  - cron: {{ schedule: \"@daily\" }}\nsteps:\n  a: {{ plugin: echo, with: {{ value: {value} }} }}\n"
        )
    };
    project.workflow("daily", &daily("old"));
    let _node = project.serve();
    project.workflow("daily", &daily("new"));
    project.run(&["backfill", "daily", "--from", "2026-01-01", "--to", "2026-01-05"]).ok();
    for run in project.wait_runs(5) {
        let view = project.wait_end(run["run"].as_str().unwrap());
        assert_eq!(view["outputs"]["a"]["value"], "new", "{view:#}");
    }
}

#[test]
fn a_retry_is_linked_to_the_run_that_it_repeats_and_a_replay_is_identical() {
    let project = Project::new();
    project.workflow(
        "chain",
        "steps:\n  a: { plugin: echo, with: { value: 1 } }\n  b: { plugin: echo, needs: [a], with: { value: \"${steps.a.value}\" } }\n",
    );
    let first = project.run(&["run", "chain", "--json"]).ok().json();
    let first = first["run"].as_str().unwrap();
    let told = project.run(&["replay", first, "--json"]).ok().json();
    assert_eq!((&told["identical"], &told["replayed"]), (&Value::from(true), &Value::from(2)));
    project.run(&["runs", "retry", first]).exits(2).says(&["--from"]);
    let again = project.run(&["runs", "retry", first, "--from", "b", "--json"]).ok().json();
    assert_eq!((&again["retry_of"], &again["steps"][0]["taken_from"]), (&Value::from(first), &Value::from(first)));
    assert_eq!(again["steps"][0]["attempts"], 0);
    assert_eq!(again["outputs"]["b"]["value"], 1);
}

#[test]
fn the_list_is_that_of_the_running_node_and_says_so() {
    let project = Project::new();
    project.workflow("keep", KEEP);
    let listed = project.run(&["trigger", "list"]).ok().says(&["No node is running"]);
    assert!(listed.stdout.contains("keep/file-0"), "{listed}");
    let node = project.serve();
    // A file that is broken changes nothing for the node, and so nothing for the list.
    project.write("workflows/keep.yaml", "version: 1\nname: keep\nsteps: [\n");
    let listed =
        project.run(&["trigger", "list"]).ok().says(&["As the running node has them", &node.pid().to_string()]);
    assert!(listed.stdout.contains("keep/file-0"), "{listed}");
    let told = project.run(&["trigger", "list", "--json"]).ok().json();
    assert_eq!((&told[0]["trigger"], &told[0]["from"]), (&"keep/file-0".into(), &"node".into()));
    project.run(&["trigger", "test", "keep/file-0"]).ok();
    drop(node);
    let told = project.run(&["trigger", "list", "--json"]).ok().json();
    assert_eq!(told, serde_json::json!([]));
}

#[test]
fn the_next_time_has_its_zone() {
    let project = Project::new();
    project.workflow("w", "triggers:\n  - cron: { schedule: \"30 12 1 1 *\", timezone: Asia/Tokyo }\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.run(&["trigger", "list"]).ok().prints(&["-01-01 12:30 JST"]);
}

#[test]
fn the_times_of_a_schedule_are_shown_in_its_own_zone() {
    let project = Project::new();
    project.workflow("tick", &DAILY.replace("\"@daily\"", "\"30 12 15 1 *\", timezone: Asia/Tokyo"));
    project.run(&["trigger", "test", "tick/cron-0"]).ok().prints(&["-01-15 12:30 JST"]);
    project.run(&["trigger", "list"]).ok().prints(&["-01-15 12:30 JST"]);
    let told = project.run(&["trigger", "test", "tick/cron-0", "--json"]).ok().json();
    let about = told["outlook"][0]["about"].as_str().unwrap();
    assert!(about.ends_with("-01-15T03:30:00Z"), "{about}");
}
