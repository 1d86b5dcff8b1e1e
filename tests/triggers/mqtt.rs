//! Messages of a real broker: accepted once each, whatever happens in between.

use std::fs;

use serde_json::json;

use crate::{
    broker::{Broker, READING, configure, values},
    explained,
    support::{Project, wait_until},
};

#[test]
fn a_message_starts_a_run_with_its_parameters_in_both_versions() {
    for version in ["3.1.1", "5"] {
        let Some(broker) = Broker::start("messages of a broker") else { return };
        let project = Project::new();
        configure(&project, &broker, version, "");
        project.workflow("reading", READING);
        let node = project.serve();
        node.wait_said("the broker has the subscriptions");
        broker.send("site/7/reading", b"{\"value\": 21.5}");
        let runs = project.wait_runs(1);
        let view = project.wait_end(runs[0]["run"].as_str().unwrap());
        assert_eq!(view["outputs"]["look"]["value"], json!({ "n": 21.5, "topic": "site/7/reading" }), "{view:#}");
        // What does not fit starts nothing and does not come again.
        broker.send("site/7/reading", b"{\"value\": \"warm\"}");
        node.wait_said("blocked: ");
        // As some Windows programs write it.
        broker.send("site/8/reading", b"\xef\xbb\xbf{\"value\": 1}");
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
    node.wait_said("the broker has the subscriptions");
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

#[test]
fn a_broker_that_is_restarted_has_what_came_meanwhile_and_each_message_starts_one_run() {
    for version in ["3.1.1", "5"] {
        let Some(mut broker) = Broker::start("a broker that is restarted") else { return };
        let project = Project::new();
        configure(&project, &broker, version, "");
        project.workflow("reading", READING);
        let node = project.serve();
        node.wait_said("the broker has the subscriptions");
        broker.send("site/1/reading", b"{\"value\": 0}");
        values(&project, 1);
        node.kill();
        for value in 1..=3 {
            broker.send("site/1/reading", format!("{{\"value\": {value}}}").as_bytes());
        }
        broker.end();
        broker.up();
        let node = project.serve();
        assert_eq!(values(&project, 4), [0.0, 1.0, 2.0, 3.0]);
        // And once more under the node, which comes back by itself.
        broker.end();
        node.wait_said("TS-0450");
        broker.up();
        broker.send("site/1/reading", b"{\"value\": 4}");
        assert_eq!(values(&project, 5), [0.0, 1.0, 2.0, 3.0, 4.0]);
        drop(node);
    }
}

#[test]
fn messages_without_an_acknowledgement_start_runs_too() {
    for version in ["3.1.1", "5"] {
        let Some(broker) = Broker::start("messages with QoS 0") else { return };
        let project = Project::new();
        configure(&project, &broker, version, "");
        project.workflow("reading", &READING.replace("broker: plant,", "broker: plant, qos: 0,"));
        let node = project.serve();
        node.wait_said("the broker has the subscriptions");
        broker.send_as(&["-q", "0"], "site/1/reading", b"{\"value\": 1}");
        // The same bytes twice are two messages.
        broker.send("site/1/reading", b"{\"value\": 2}");
        broker.send("site/1/reading", b"{\"value\": 2}");
        assert_eq!(values(&project, 3), [1.0, 2.0, 2.0]);
        drop(node);
    }
}

#[test]
fn a_message_that_the_broker_keeps_starts_one_run_and_another_when_it_changes() {
    for version in ["3.1.1", "5"] {
        let Some(broker) = Broker::start("retained messages") else { return };
        let project = Project::new();
        configure(&project, &broker, version, "");
        project.workflow("reading", READING);
        broker.send_as(&["-q", "1", "-r"], "site/1/reading", b"{\"value\": 1}");
        for _ in 0..3 {
            let node = project.serve();
            node.wait_said("the broker has the subscriptions");
            assert_eq!(values(&project, 1), [1.0]);
            node.kill();
            fs::remove_file(project.path(".trackside-test/log")).unwrap();
        }
        broker.send_as(&["-q", "1", "-r"], "site/1/reading", b"{\"value\": 2}");
        let node = project.serve();
        assert_eq!(values(&project, 2), [1.0, 2.0]);
        drop(node);
    }
}

#[test]
fn a_message_that_does_not_fit_is_kept_for_inspection_and_explained() {
    let Some(broker) = Broker::start("messages that do not fit") else { return };
    let project = Project::new();
    configure(&project, &broker, "5", "");
    project.workflow("reading", &READING.replace("broker: plant,", "broker: plant, max_payload: 40B,"));
    let node = project.serve();
    node.wait_said("the broker has the subscriptions");
    let large = format!("{{\"value\": 1, \"note\": \"{}\"}}", "x".repeat(40));
    for message in ["{\"value\": 1, \"value\": 2}", "{\"value\": \"warm\"}", "{\"value\": ", "\u{1}\u{1b}[31m", &large]
    {
        broker.send("site/7/reading", message.as_bytes());
    }
    broker.send("site/7/reading", b"{\"value\": 5}");
    assert_eq!(values(&project, 1), [5.0]);
    let told = explained(&project, "reading/mqtt-0");
    let blocked: Vec<&str> =
        told.iter().filter(|one| one["decision"] == "blocked").map(|one| one["detail"].as_str().unwrap()).collect();
    // The newest first, the message with each.
    assert_eq!(blocked.len(), 5, "{told:#?}");
    assert!(blocked[0].contains("max_payload") && blocked[0].contains("xxxx"), "{blocked:?}");
    assert!(blocked[1].contains("no JSON") && blocked[1].contains("\\u{1b}[31m"), "{blocked:?}");
    assert!(blocked[3].contains("`value`") && blocked[3].contains("warm"), "{blocked:?}");
    assert!(blocked[4].contains("stands twice in one object"), "{blocked:?}");
    assert!(told.iter().all(|one| one["about"] == "site/7/reading" || one["decision"] == "started"), "{told:#?}");
    project.run(&["explain", "last"]).ok().prints(&["reading/mqtt-0"]);
    // None of them comes again.
    node.kill();
    let node = project.serve();
    broker.send("site/7/reading", b"{\"value\": 6}");
    assert_eq!(values(&project, 2), [5.0, 6.0]);
    assert_eq!(explained(&project, "reading/mqtt-0").iter().filter(|one| one["decision"] == "blocked").count(), 5);
    drop(node);
}

#[test]
fn a_message_can_be_an_artifact_of_its_run() {
    let Some(broker) = Broker::start("messages as artifacts") else { return };
    let project = Project::new();
    configure(&project, &broker, "5", "");
    project.workflow(
        "keep",
        "triggers:\n  - mqtt: { broker: plant, topic: \"camera/#\", payload: artifact }\n\
         steps:\n  look: { plugin: echo, with: { value: \"${trigger.body.size}\" } }\n",
    );
    let node = project.serve();
    node.wait_said("the broker has the subscriptions");
    let picture: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    broker.send("camera/1/picture.jpg", &picture);
    let runs = project.wait_runs(1);
    let view = project.wait_end(runs[0]["run"].as_str().unwrap());
    assert_eq!(view["outputs"]["look"]["value"], 100_000, "{view:#}");
    let digest = view["trigger"]["body"]["artifact"].as_str().unwrap();
    project.run(&["artifact", "get", digest, "-o", "taken"]).ok();
    assert_eq!(fs::read(project.path("taken")).unwrap(), picture);
}

#[test]
fn two_nodes_with_one_client_id_are_told_as_what_they_are() {
    for version in ["3.1.1", "5"] {
        let Some(broker) = Broker::start("two nodes with one client id") else { return };
        let [original, copy] = [(); 2].map(|()| {
            let project = Project::new();
            configure(&project, &broker, version, "");
            project.workflow("reading", READING);
            project
        });
        let first = original.serve();
        first.wait_said("the broker has the subscriptions");
        let second = copy.serve();
        for (node, project) in [(&first, &original), (&second, &copy)] {
            node.wait_said("[TS-0452]");
            assert!(node.said().contains("trackside-test"), "{}", node.said());
            let problem = wait_until("the status tells it", || {
                let status = project.run(&["status", "--json"]).ok().json();
                let problem = status["brokers"][0]["problem"].as_str()?.to_owned();
                problem.contains("TS-0452").then_some(problem)
            });
            assert!(problem.contains("client_id") && problem.contains("copy"), "{problem}");
            project.run(&["status"]).ok().says(&["broker plant", "TS-0452"]);
        }
    }
}

#[test]
fn nodes_with_names_of_their_own_share_a_broker_in_peace() {
    let Some(broker) = Broker::start("two nodes with names of their own") else { return };
    let projects = ["one", "two"].map(|name| {
        let project = Project::new();
        configure(&project, &broker, "5", "");
        let config = project.read("trackside.toml").replace("name = \"test\"", &format!("name = \"{name}\""));
        project.write("trackside.toml", config);
        project.workflow("reading", READING);
        project
    });
    let nodes = projects.each_ref().map(Project::serve);
    nodes.iter().for_each(|node| node.wait_said("the broker has the subscriptions"));
    for value in 1..=3 {
        broker.send("site/1/reading", format!("{{\"value\": {value}}}").as_bytes());
    }
    for (node, project) in nodes.iter().zip(&projects) {
        assert_eq!(values(project, 3), [1.0, 2.0, 3.0]);
        let status = project.run(&["status", "--json"]).ok().json();
        assert_eq!(status["brokers"], json!([{ "name": "plant", "connected": true, "problem": null }]), "{status:#}");
        assert!(!node.said().contains("TS-045"), "{}", node.said());
    }
}
