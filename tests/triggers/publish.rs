//! Messages that steps publish.

use std::{path::Path, sync::atomic::Ordering};

use serde_json::Value;

use crate::{
    broker::Broker,
    lossy,
    support::{Project, wait_until},
};

fn publisher(project: &Project) {
    project.misbehave("misbehave");
    project.workflow(
        "alarm",
        "triggers:\n  - file: { path: inbox, glob: \"*\" }\nsteps:\n  tell:\n    plugin: misbehave\n    \
         with: { mode: publish, target: site/alarm }\n    allow: { publish: [\"site/#\"] }\n",
    );
}

/// The guest names the channel `mqtt`.
fn configure_channel(project: &Project, port: u16, more: &str) {
    let mqtt = format!("[mqtt.mqtt]\nhost = \"127.0.0.1\"\nport = {port}\n");
    project.write("trackside.toml", format!("[node]\nname = \"test\"\n{more}\n{mqtt}"));
}

#[test]
fn a_message_that_a_step_publishes_waits_until_the_broker_is_there() {
    let Some(mut broker) = Broker::start("publishing") else { return };
    let project = Project::new();
    configure_channel(&project, broker.port, "");
    publisher(&project);
    // A session that the broker keeps over its own restart, so that the message can not pass it by.
    broker.spy("site/alarm");
    // Its state is written when it ends in peace.
    broker.end();
    let _node = project.serve();
    project.drop_file("inbox/a", "1");
    // The step is done; its message waits.
    let run = project.wait_runs(1)[0].clone();
    assert_eq!(run["state"], "succeeded");
    assert_eq!(project.show(run["run"].as_str().unwrap())["outbox_waiting"], 1);
    broker.up();
    assert_eq!(broker.hear("site/alarm", 1, "%t %p"), ["site/alarm hello"]);
}

#[test]
fn the_box_says_what_may_be_published() {
    let Some(broker) = Broker::start("the policy on publishing") else { return };
    let project = Project::new();
    configure_channel(&project, broker.port, "[policy]\npublish = [\"other/#\"]");
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

/// The numbers in the topics of messages, and their keys.
fn numbers_and_keys(heard: &[String]) -> (Vec<usize>, Vec<String>) {
    let one = |line: &String| {
        let (topic, properties) = line.split_once(' ').unwrap();
        let (_, key) = properties.split_once("trackside-key:").unwrap_or_else(|| panic!("{line}"));
        (topic.rsplit('/').next().unwrap().parse::<usize>().unwrap(), key.split_whitespace().next().unwrap().to_owned())
    };
    heard.iter().map(one).unzip()
}

#[test]
fn messages_keep_their_order_and_their_keys_over_a_broker_and_a_node_that_are_away() {
    let Some(mut broker) = Broker::start("the order of publications") else { return };
    let project = Project::new();
    configure_channel(&project, broker.port, "");
    project.misbehave("misbehave");
    project.workflow(
        "tell",
        "params:\n  n: { type: integer }\nsteps:\n  tell:\n    plugin: misbehave\n    \
         with: { mode: publish, target: \"site/alarm/${string(params.n)}\" }\n    allow: { publish: [\"site/#\"] }\n",
    );
    broker.spy("site/alarm/+");
    let node = project.serve();
    let tell = |node: &crate::support::Node, n: usize| {
        let (status, answer) =
            node.ask("POST", "/v1/runs", &format!("{{\"workflow\": \"tell\", \"params\": {{\"n\": {n}}}}}"));
        assert_eq!(status, 202, "{answer}");
        let run: Value = serde_json::from_str(&answer).unwrap();
        let run = run["run"].as_str().unwrap().to_owned();
        wait_until("the step", || (project.show(&run)["state"] == "succeeded").then_some(()));
        run
    };
    tell(&node, 0);
    broker.end();
    (1..4).for_each(|n| drop(tell(&node, n)));
    node.kill();
    let node = project.serve();
    let last = tell(&node, 4);
    broker.up();
    let (numbers, keys) = numbers_and_keys(&broker.hear("site/alarm/+", 5, "%t %P"));
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    let mut different = keys.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 5, "{keys:?}");
    assert_eq!(project.wait_end(&last)["outbox_waiting"], 0);
}

#[test]
fn a_message_whose_acknowledgement_is_lost_comes_again_under_the_same_key() {
    let Some(broker) = Broker::start("a repeated publication") else { return };
    let (port, lost) = lossy::start(broker.port);
    let project = Project::new();
    configure_channel(&project, port, "");
    publisher(&project);
    broker.spy("site/alarm");
    let _node = project.serve();
    project.drop_file("inbox/a", "1");
    let run = project.wait_runs(1)[0]["run"].as_str().unwrap().to_owned();
    wait_until("its acknowledgement", || (project.show(&run)["outbox_waiting"] == 0).then_some(()));
    assert!(lost.load(Ordering::Relaxed) > 1, "none was lost, or none came");
    let heard = broker.hear("site/alarm", 2, "%p %P");
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[0], heard[1]);
    assert!(heard[0].starts_with("hello ") && heard[0].contains(&format!("trackside-key:{run}/tell/")), "{heard:?}");
}

#[test]
fn the_bundled_step_publishes_text_json_and_files() {
    let Some(broker) = Broker::start("the plugin publish") else { return };
    let project = Project::new();
    configure_channel(&project, broker.port, "");
    let step = |id: &str, with: &str| {
        format!(
            "  {id}:\n    plugin: publish\n    with: {{ broker: mqtt, topic: site/{id}, {with} }}\n    allow: {{ publish: [\"site/#\"] }}\n"
        )
    };
    let steps = [
        step("text", "text: \"hot: ${params.n}\""),
        step("json", "json: { n: \"${params.n}\", ok: true }, attributes: { area: north }"),
        step("file", "file: \"${trigger.file}\""),
        step("none", "attributes: {}"),
    ];
    project.workflow("tell", &format!("params: {{ n: {{ type: integer, default: 7 }} }}\nsteps:\n{}", steps.concat()));
    project.write("in.bin", b"one,two");
    broker.spy("site/#");
    let _node = project.serve();
    let run = project.run(&["run", "tell", "--file", "in.bin", "--json"]).ok().json();
    assert_eq!(project.wait_end(run["run"].as_str().unwrap())["state"], "succeeded");
    let mut heard = broker.hear("site/#", 4, "%t %q %p %P");
    heard.sort();
    // In the order of the topics; each with QoS 1 and a key of its own.
    let said = ["site/file 1 one,two ", "site/json 1 {\"n\":7,\"ok\":true} ", "site/none 1  ", "site/text 1 hot: 7 "];
    assert!(heard.len() == 4 && heard.iter().zip(said).all(|(line, said)| line.starts_with(said)), "{heard:#?}");
    assert!(heard.iter().all(|line| line.contains("trackside-key:")) && heard[1].contains("area:north"), "{heard:#?}");
}

#[test]
fn a_topic_that_is_not_granted_is_not_published_to() {
    let project = Project::new();
    configure_channel(&project, 1, "");
    project.workflow(
        "tell",
        "steps:\n  tell:\n    plugin: publish\n    with: { broker: mqtt, topic: other/alarm, text: x }\n    allow: { publish: [\"site/#\"] }\n",
    );
    let view = project.run(&["run", "tell", "--json"]).exits(1).json();
    assert_eq!(view["error"]["code"], "denied", "{view:#}");
}
