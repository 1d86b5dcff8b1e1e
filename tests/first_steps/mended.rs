//! A run that failed, and the workflow mended afterwards.

use crate::support::Project;

const BAD: &str = "steps:\n  look: { plugin: csv-check, with: { file: \"${trigger.file}\", contract: { columns: { a: { type: number } } } } }\n\
                   finally:\n  failed: { plugin: deliver-file, with: { to: rejected/why, text: \"${run.error}\" }, allow: { deliver: [rejected] } }\n";

#[test]
fn a_failed_run_is_repeated_as_it_was_with_a_word_or_on_the_mended_workflow() {
    let project = Project::new();
    project.workflow("keep", BAD);
    project.write("n.csv", "a\nx\ny\n");
    project.run(&["run", "keep", "--file", "n.csv"]).exits(1);
    // What a person reads in the delivered file has no written-out line ends.
    assert!(!project.read("rejected/why").contains("\\n"), "{}", project.read("rejected/why"));
    let shown = project.run(&["runs", "show", "last"]).ok();
    let shown = shown.prints(&["Run it again", "runs retry", "--latest", "its file was kept"]);
    assert!(shown.stdout.contains("1 artifact,") && !shown.stdout.contains("1 artifacts"), "{shown}");
    // The original is gone: its bytes are not.
    std::fs::remove_file(project.path("n.csv")).unwrap();
    let first = project.run(&["runs", "retry", "last"]).exits(1);
    assert!(!first.stderr.contains("has changed since"), "{first}");
    project.workflow("keep", &BAD.replace("number", "string"));
    project.run(&["runs", "retry", "last"]).exits(1).says(&["`keep` has changed since run", "--latest"]);
    let ran = project.run(&["runs", "retry", "--latest", "last"]).ok().prints(&["\"row_count\":2"]);
    assert!(!ran.stderr.contains("has changed since"), "{ran}");
    assert!(project.show("last")["retry_of"].is_string());
    // Over the socket, too.
    let node = project.serve();
    project.run(&["runs", "retry", "--latest", "last"]).ok().prints(&["\"row_count\":2"]);
    project.run(&["runs", "retry", "--latest", "--from", "look", "last"]).exits(2);
    let run = project.show("last")["run"].as_str().unwrap().to_owned();
    let (status, answer) = node.ask("POST", &format!("/v1/runs/{run}/retry"), r#"{"latest":true,"from":"look"}"#);
    assert!(status == 409 && answer.contains("TS-0725"), "{status} {answer}");
}

#[test]
fn the_latest_is_what_the_file_says_now_and_not_what_the_node_has_heard_of() {
    let project = Project::new();
    let step = |value: &str| format!("steps:\n  look: {{ plugin: echo, with: {{ value: {value} }} }}\n");
    project.workflow("keep", &step("old"));
    project.run(&["run", "keep"]).ok();
    let run = project.show("last")["run"].as_str().unwrap().to_owned();
    let latest = ["runs", "retry", "--latest", &run];
    let node = project.serve();
    project.workflow("keep", &step("new"));
    project.run(&latest).ok().prints(&["\"value\":\"new\""]);
    project.workflow("keep", &step("newer"));
    project.run(&["runs", "retry", "--from", "look", &run]).ok().says(&["`keep` has changed since run"]);
    // One that can not be used is not passed over for the last good one.
    project.workflow("keep", &format!("{}zzz: 1\n", step("newest")));
    let told = ["TS-0725", "workflows/keep.yaml can not be used as it is", "`zzz`", "leave out `latest`"];
    project.run(&latest).exits(2).says(&told);
    drop(node);
    // Nor where no node runs.
    project.run(&latest).exits(2).says(&told);
}
