//! Messages of a real broker: mosquitto, and its own clients at the other end.

use std::path::Path;

use serde_json::json;

use crate::{
    broker::{Broker, READING, configure},
    support::Project,
};

#[test]
fn a_message_starts_a_run_with_its_parameters_in_both_versions() {
    for version in ["3.1.1", "5"] {
        let Some(broker) = Broker::start("messages of a broker") else { return };
        let project = Project::new();
        configure(&project, &broker, version, "");
        project.workflow("reading", READING);
        let node = project.serve();
        node.wait_said("connected to the broker");
        broker.send("site/7/reading", b"{\"value\": 21.5}");
        let runs = project.wait_runs(1);
        let view = project.wait_end(runs[0]["run"].as_str().unwrap());
        assert_eq!(view["outputs"]["look"], json!({ "value": 21.5, "topic": "site/7/reading" }), "{view:#}");
        // What does not fit starts nothing and does not come again.
        broker.send("site/7/reading", b"{\"value\": \"warm\"}");
        node.wait_said("blocked: ");
        broker.send("site/8/reading", b"{\"value\": 1}");
        project.wait_runs(2);
    }
}

#[test]
fn messages_that_came_while_the_node_was_down_start_one_run_each() {
    let Some(broker) = Broker::start("messages that wait at the broker") else { return };
    let project = Project::new();
    configure(&project, &broker, "5", "");
    project.workflow("reading", READING);
    let node = project.serve();
    node.wait_said("connected to the broker");
    broker.send("site/1/reading", b"{\"value\": 0}");
    project.wait_runs(1);
    node.kill();
    for value in 1..=5 {
        broker.send("site/1/reading", format!("{{\"value\": {value}}}").as_bytes());
    }
    let node = project.serve();
    project.wait_runs(6);
    node.kill();
    // Nothing that was acknowledged comes a second time.
    let node = project.serve();
    broker.send("site/1/reading", b"{\"value\": 6}");
    assert_eq!(project.wait_runs(7).len(), 7);
    drop(node);
}

fn publisher(project: &Project) {
    project.misbehave("misbehave");
    project.workflow(
        "alarm",
        "triggers:\n  - file: { path: inbox, glob: \"*\" }\nsteps:\n  tell:\n    plugin: misbehave\n    \
         with: { mode: publish, target: site/alarm }\n    allow: { publish: [\"site/#\"] }\n",
    );
}

/// The guest names the channel `mqtt`.
fn configure_channel(project: &Project, broker: &Broker, more: &str) {
    let mqtt = format!("[mqtt.mqtt]\nhost = \"127.0.0.1\"\nport = {}\n", broker.port);
    project.write("trackside.toml", format!("[node]\nname = \"test\"\n{more}\n{mqtt}"));
}

#[test]
fn a_message_that_a_step_publishes_waits_until_the_broker_is_there() {
    let Some(mut broker) = Broker::start("publishing") else { return };
    let project = Project::new();
    configure_channel(&project, &broker, "");
    publisher(&project);
    // A session that the broker keeps over its own restart, so that the message can not pass it by.
    broker.spy("site/alarm");
    // Its state is written when it ends in peace.
    broker.end();
    let _node = project.serve();
    project.drop_file("inbox/a", "1");
    let run = project.wait_runs(1)[0]["run"].as_str().unwrap().to_owned();
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
    broker.up();
    assert_eq!(broker.hear("site/alarm", 1, "%t %p"), ["site/alarm hello"]);
}

#[test]
fn the_box_says_what_may_be_published() {
    let Some(broker) = Broker::start("the policy on publishing") else { return };
    let project = Project::new();
    configure_channel(&project, &broker, "[policy]\npublish = [\"other/#\"]");
    publisher(&project);
    let ran = project.run(&["run", "alarm", "--json"]);
    let runs = project.runs();
    assert_eq!(runs.len(), 1, "{ran:?}");
    let view = project.show(runs[0]["run"].as_str().unwrap());
    assert_eq!(view["state"], "failed", "{view:#}");
    assert!(view.to_string().contains("[policy] publish"), "{view:#}");
}

#[test]
fn without_a_broker_of_that_name_nothing_is_published() {
    let project = Project::new();
    publisher(&project);
    let _ = project.run(&["run", "alarm", "--json"]);
    let view = project.show(project.runs()[0]["run"].as_str().unwrap());
    assert!(view.to_string().contains("no broker"), "{view:#}");
    assert!(Path::new(&project.path(".trackside")).is_dir());
}
