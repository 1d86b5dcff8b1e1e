//! Messages of a real broker: mosquitto, and its own clients at the other end.

use std::{
    fs::{self, File},
    io::Write,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Project, optional::not_run, wait_until};

/// A broker on a port of its own. What it knows outlives it.
struct Broker {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl Broker {
    /// None, said in one line, where there is no mosquitto.
    #[track_caller]
    fn start(what: &str) -> Option<Self> {
        if ["mosquitto", "mosquitto_pub", "mosquitto_sub"].iter().any(|name| program(name).is_none()) {
            not_run("mosquitto", what, "no mosquitto with its clients: apt install mosquitto mosquitto-clients");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let mut broker = Self { child: None, port, folder };
        let data = broker.folder.path().display();
        let config = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {data}/\n\
             autosave_interval 1\nautosave_on_changes true\nuser root\n"
        );
        fs::write(broker.folder.path().join("mosquitto.conf"), config).unwrap();
        broker.up();
        Some(broker)
    }

    fn up(&mut self) {
        let log = File::create(self.folder.path().join("log")).unwrap();
        let mut command = Command::new(program("mosquitto").unwrap());
        command.arg("-c").arg(self.folder.path().join("mosquitto.conf"));
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let port = self.port;
        wait_until("the broker listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    }

    /// SIGTERM.
    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
            kill_process(pid, Signal::TERM).unwrap();
            child.wait().unwrap();
        }
    }

    fn down(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends one message with QoS 1 and waits until the broker has it.
    #[track_caller]
    fn send(&self, topic: &str, message: &[u8]) {
        let mut command = Command::new(program("mosquitto_pub").unwrap());
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1", "-s", "-t", topic]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(message).unwrap();
        assert!(child.wait().unwrap().success(), "mosquitto_pub failed");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.down();
    }
}

fn configure(project: &Project, broker: &Broker, version: &str, more: &str) {
    let mqtt = format!("[mqtt.plant]\nhost = \"127.0.0.1\"\nport = {}\nversion = \"{version}\"\n", broker.port);
    project.write("trackside.toml", format!("[node]\nname = \"test\"\n{more}\n{mqtt}"));
}

const READING: &str = "params:\n  value: { type: number }\ntriggers:\n  - mqtt: { broker: plant, topic: \"site/+/reading\" }\n\
                       steps:\n  look: { plugin: echo, with: { value: \"${params.value}\", topic: \"${trigger.topic}\" } }\n";

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
    let spy = |more: &[&str]| {
        let mut command = Command::new(program("mosquitto_sub").unwrap());
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &broker.port.to_string(),
            "-q",
            "1",
            "-c",
            "-i",
            "spy",
            "-t",
            "site/alarm",
        ]);
        command.args(more);
        command
    };
    let (subscribe, mut hear) = (spy(&["-E"]).status().unwrap(), spy(&["-C", "1", "-W", "60", "-F", "%t %p"]));
    assert!(subscribe.success());
    // Its state is written when it ends in peace.
    broker.end();
    let _node = project.serve();
    project.drop_file("inbox/a", "1");
    let run = project.wait_runs(1)[0]["run"].as_str().unwrap().to_owned();
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
    broker.up();
    let heard = hear.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&heard.stdout).trim_end(), "site/alarm hello");
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
