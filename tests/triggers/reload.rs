//! Triggers that come, change and go while the node runs.

use std::{fs, net::TcpStream};

use serde_json::Value;

use crate::{
    broker::{Broker, READING, configure, values},
    explained,
    no_watches::without_watches,
    support::{Node, Project, wait_until},
    webhook::{address, send},
};

const STEP: &str = "steps:\n  look: { plugin: echo, with: { value: 1 } }\n";

fn watching(folder: &str) -> String {
    format!(
        "triggers:\n  - file: {{ path: {folder}, glob: \"*.csv\", claim: keep, settle: 10m }}\n\
         steps:\n  look: {{ plugin: echo, with: {{ value: \"${{trigger.file.name}}\" }} }}\n"
    )
}

#[track_caller]
fn reload(project: &Project) -> Value {
    project.run(&["reload", "--json"]).ok().json()
}

fn remove(project: &Project, name: &str) {
    fs::remove_file(project.path(&format!("workflows/{name}.yaml"))).unwrap();
}

#[test]
fn a_folder_is_watched_from_its_triggers_coming_to_its_going() {
    let project = Project::new();
    project.workflow("idle", STEP);
    let node = project.serve();
    project.workflow("intake", &watching("inbox"));
    reload(&project);
    project.drop_file("inbox/a.csv", "a");
    project.wait_runs(1);
    // Another folder: the first is not looked at any more, what lies in the second is found.
    project.drop_file("other/b.csv", "b");
    project.workflow("intake", &watching("other").replace("10m", "10ms"));
    reload(&project);
    project.wait_runs(2);
    project.drop_file("inbox/c.csv", "c");
    project.drop_file("other/d.csv", "d");
    let runs = project.wait_runs(3);
    let files: Vec<Value> = runs
        .iter()
        .map(|run| project.wait_end(run["run"].as_str().unwrap())["outputs"]["look"]["value"].clone())
        .collect();
    assert_eq!(files, ["a.csv", "b.csv", "d.csv"]);
    remove(&project, "intake");
    reload(&project);
    project.drop_file("other/e.csv", "e");
    // The ledger has outlived the trigger: what it had is not taken twice, what came meanwhile is found.
    assert_eq!(project.runs().len(), 3);
    project.workflow("intake", &watching("other").replace("10m", "10ms"));
    reload(&project);
    let runs = project.wait_runs(4);
    let view = project.wait_end(runs[3]["run"].as_str().unwrap());
    assert_eq!(view["outputs"]["look"]["value"], "e.csv");
    drop(node);
}

#[test]
fn a_step_that_changes_does_not_disturb_files_that_settle() {
    let project = Project::new();
    project.workflow("intake", &watching("inbox").replace("10m", "1h"));
    let node = project.serve();
    let file = fs::File::create(project.path("inbox/a.csv")).unwrap();
    project.workflow("intake", &watching("inbox").replace("10m", "1h").replace("trigger.file.name", "'new'"));
    reload(&project);
    // The same watch hears that its writer is done; a new one would wait for an hour.
    drop(file);
    let runs = project.wait_runs(1);
    assert_eq!(
        project.wait_end(runs[0]["run"].as_str().unwrap())["outputs"]["look"]["value"],
        "'new'".trim_matches('\'')
    );
    drop(node);
}

fn every_second(schedule: &str) -> String {
    format!("triggers:\n  - cron: {{ {schedule} }}\n{STEP}")
}

/// When the next run of the only schedule is due.
fn next(node: &Node) -> Option<i64> {
    serde_json::from_str::<Value>(&node.ask("GET", "/v1/status", "").1).unwrap()["next_deadline_ms"].as_i64()
}

#[test]
fn schedules_begin_change_and_end() {
    let project = Project::new();
    project.workflow("idle", STEP);
    let node = project.serve();
    assert_eq!(next(&node), None);
    project.workflow("tick", &every_second("schedule: \"* * * * * *\""));
    reload(&project);
    wait_until("two ticks", || (project.runs().len() >= 2).then_some(()));
    // Another schedule starts now and makes up for nothing.
    project.workflow("tick", &every_second("schedule: \"0 0 1 1 *\", misfire: all"));
    reload(&project);
    let ran = project.runs().len();
    let far = next(&node).unwrap();
    project.workflow("tick", &every_second("schedule: \"0 0 1 1 *\", misfire: all, overlap: skip"));
    reload(&project);
    assert_eq!(next(&node), Some(far), "other settings move no schedule");
    remove(&project, "tick");
    reload(&project);
    assert_eq!(next(&node), None);
    // The first schedule again, some time later: it is new, and what passed is not made up for.
    project.workflow("tick", &every_second("every: 1h, misfire: all"));
    reload(&project);
    let began = next(&node).unwrap();
    remove(&project, "tick");
    reload(&project);
    project.workflow("tick", &every_second("every: 1h, misfire: all"));
    reload(&project);
    assert!(next(&node).unwrap() > began, "it went on from where it was");
    assert_eq!(project.runs().len(), ran);
}

#[test]
fn a_schedule_that_comes_back_after_a_restart_makes_up_for_nothing() {
    let project = Project::new();
    project.workflow("tick", &every_second("schedule: \"* * * * * *\", misfire: all"));
    project.workflow("idle", STEP);
    let node = project.serve();
    wait_until("a tick", || project.runs().first().cloned());
    let text = project.read("workflows/tick.yaml");
    remove(&project, "tick");
    reload(&project);
    let before = project.runs().len();
    node.kill();
    crate::support::wait::let_pass(std::time::Duration::from_millis(2500));
    project.write("workflows/tick.yaml", text);
    let node = project.serve();
    wait_until("a tick", || (project.runs().len() > before).then_some(()));
    node.kill();
    let mut times: Vec<i64> = Vec::new();
    for run in project.runs().iter().rev().skip(before) {
        times.push(project.show(run["run"].as_str().unwrap())["trigger"]["logical_time_ms"].as_i64().unwrap());
    }
    let last_before = project.show(project.runs()[project.runs().len() - before]["run"].as_str().unwrap());
    let last_before = last_before["trigger"]["logical_time_ms"].as_i64().unwrap();
    assert!(times[0] - last_before > 2000, "it made up for times: {last_before} {times:?}");
}

#[test]
fn a_webhook_has_an_address_from_its_coming_to_its_going() {
    let project = Project::new();
    project.write("trackside.toml", "[node]\nname = \"test\"\n[http_server]\nlisten = \"127.0.0.1:0\"\n");
    project.workflow("idle", STEP);
    let node = project.serve();
    let hook = |name: &str| format!("triggers:\n  - webhook: {{ name: {name}, signature: none }}\n{STEP}");
    assert!(!node.said().contains("listening for webhooks"));
    project.workflow("push", &hook("one"));
    reload(&project);
    let at = address(&node);
    assert_eq!(send(&at, "/hooks/one", "", "{}").0, 202);
    project.workflow("push", &hook("two"));
    reload(&project);
    assert_eq!((send(&at, "/hooks/one", "", "{}").0, send(&at, "/hooks/two", "", "{}").0), (404, 202));
    remove(&project, "push");
    reload(&project);
    node.wait_said("not listening for webhooks any more");
    assert!(TcpStream::connect(&at).is_err());
    assert_eq!(project.wait_runs(2).len(), 2);
}

#[test]
fn followers_begin_and_end() {
    let project = Project::new();
    project.workflow("first", STEP);
    let node = project.serve();
    project.wait_end(&node.start_run("first"));
    project.workflow("after", &format!("triggers:\n  - workflow: {{ name: first }}\n{STEP}"));
    reload(&project);
    project.wait_end(&node.start_run("first"));
    // What ended before the trigger was there is nothing to it.
    project.wait_runs(3);
    remove(&project, "after");
    reload(&project);
    project.wait_end(&node.start_run("first"));
    assert_eq!(project.wait_runs(4).iter().filter(|run| run["workflow"] == "after").count(), 1);
}

/// Waits until the broker has taken subscriptions so many times.
#[track_caller]
fn wait_subscribed(node: &Node, times: usize) {
    wait_until("the subscription", || {
        (node.said().matches("the broker has the subscriptions").count() == times).then_some(())
    });
}

#[test]
fn subscriptions_come_and_go_on_a_connection_that_stays() {
    for version in ["3.1.1", "5"] {
        let Some(broker) = Broker::start("subscriptions that change") else { return };
        let project = Project::new();
        configure(&project, &broker, version, "");
        project.workflow("idle", STEP);
        let node = project.serve();
        let send = |topic: &str, value: u32| broker.send(topic, format!("{{\"value\": {value}}}").as_bytes());
        // The first listener makes the connection.
        project.workflow("reading", READING);
        reload(&project);
        wait_subscribed(&node, 1);
        send("site/7/reading", 1);
        assert_eq!(values(&project, 1), [1.0]);
        let wider = READING.replace("site/+/reading", "plant/#");
        project.workflow("reading", &wider);
        reload(&project);
        wait_subscribed(&node, 2);
        send("site/7/reading", 2);
        send("plant/8/reading", 3);
        assert_eq!(values(&project, 2), [1.0, 3.0]);
        // Other parameters: the next message is bound to them, without another subscription.
        project.workflow("reading", &wider.replace("{ type: number }", "{ type: number, minimum: 4 }"));
        reload(&project);
        send("plant/8/reading", 3);
        send("plant/8/reading", 4);
        assert_eq!(values(&project, 3), [1.0, 3.0, 4.0]);
        assert_eq!(explained(&project, "reading/mqtt-0")[1]["decision"], "blocked");
        remove(&project, "reading");
        reload(&project);
        send("plant/8/reading", 5);
        // It comes back, and what was sent in between is not heard of.
        project.workflow("reading", &wider);
        reload(&project);
        wait_subscribed(&node, 3);
        send("plant/9/reading", 6);
        assert_eq!(values(&project, 4), [1.0, 3.0, 4.0, 6.0]);
        assert_eq!(node.said().matches("connected to the broker").count(), 1, "{}", node.said());
        // And after a restart the broker knows it still.
        node.kill();
        send("plant/9/reading", 7);
        let node = project.serve();
        assert_eq!(values(&project, 5), [1.0, 3.0, 4.0, 6.0, 7.0]);
        drop(node);
    }
}

#[test]
fn workflow_files_that_cannot_be_watched_are_looked_at_every_so_often() {
    without_watches("reload::workflow_files_that_cannot_be_watched_are_looked_at_every_so_often", || {
        let project = Project::new();
        project.workflow("idle", STEP);
        let node = project.serve();
        node.wait_said("TS-0627");
        assert!(node.said().contains("fs.inotify.max_user_watches"), "{}", node.said());
        project.workflow("tick", &every_second("schedule: \"* * * * * *\""));
        project.write("workflows/broken.yaml", "version: 1\nnam");
        wait_until("a tick", || project.runs().first().cloned());
        wait_until("what is wrong with the other", || node.said().contains("broken.yaml").then_some(()));
        assert_eq!(node.said().matches("TS-0627").count(), 1);
    });
}
