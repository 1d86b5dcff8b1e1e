//! Brokers that want a password, and brokers that must show who they are.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::{
    broker::{Broker, READING, configure, values},
    support::Project,
};

fn secret(project: &Project, text: &str) {
    project.write("secrets/mqtt", text);
    fs::set_permissions(project.path("secrets/mqtt"), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_wrong_password_is_told_and_the_right_one_is_taken_up_without_a_restart() {
    for version in ["3.1.1", "5"] {
        let Some(broker) = Broker::with_password("passwords of brokers") else { return };
        let project = Project::new();
        let more = "username = \"box\"\npassword = \"mqtt\"\n[secrets.mqtt]\nfile = \"secrets/mqtt\"\nnode = true";
        configure(&project, &broker, version, more);
        project.workflow("reading", READING);
        secret(&project, "wrong");
        let node = project.serve();
        node.wait_said("TS-0450");
        let said = node.said().to_lowercase();
        assert!(said.contains("authori") || said.contains("password"), "why is not said: {said}");
        assert!(!said.contains("wrong"), "the password is in the log: {said}");
        secret(&project, "right");
        node.wait_said("the broker has the subscriptions");
        broker.send("site/1/reading", b"{\"value\": 1}");
        assert_eq!(values(&project, 1), [1.0]);
    }
}

#[test]
fn a_broker_is_believed_by_the_authority_that_the_config_names_and_by_no_other() {
    for version in ["3.1.1", "5"] {
        let Some(broker) = Broker::with_tls("TLS to a broker") else { return };
        let project = Project::new();
        configure(&project, &broker, version, "tls = true\nca_file = \"ca.pem\"");
        project.workflow("reading", READING);
        project.write("ca.pem", broker.authority("other"));
        let node = project.serve();
        node.wait_said("TS-0450");
        assert!(node.said().to_lowercase().contains("certificate"), "why is not said: {}", node.said());
        project.write("ca.pem", broker.authority("ca"));
        node.wait_said("the broker has the subscriptions");
        broker.send("site/1/reading", b"{\"value\": 1}");
        assert_eq!(values(&project, 1), [1.0]);
    }
}

#[test]
fn a_broker_without_tls_is_not_talked_to_in_the_open_where_tls_is_wanted() {
    let Some(broker) = Broker::start("a broker without TLS") else { return };
    let project = Project::new();
    project.write("ca.pem", "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n");
    configure(&project, &broker, "5", "tls = true\nca_file = \"ca.pem\"");
    project.workflow("reading", READING);
    let node = project.serve();
    node.wait_said("TS-0450");
    assert!(node.said().contains("ca_file"), "{}", node.said());
    assert!(!node.said().contains("connected to the broker"), "{}", node.said());
}
