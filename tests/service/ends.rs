//! Signals.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Project, project::step, wait::patient, web::Web};

/// A node has so long to end, with a step under way that does not stop by itself.
/// As seconds of a machine that has nothing else to do: a busy one may take longer, and nowhere near a minute of `systemd`.
const A_FEW_SECONDS: Duration = Duration::from_secs(60);

fn project(web: &Web) -> Project {
    let project = Project::new();
    let origin = web.origin();
    project.workflow(
        "call",
        &format!(
            "steps:\n  before: {{ plugin: echo, with: {{ value: 1 }} }}\n  ask:\n    needs: [before]\n    plugin: http-request\n    \
             with: {{ url: \"{origin}/x\" }}\n    allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n"
        ),
    );
    project
}

#[test]
fn sigterm_ends_the_node_within_seconds_and_the_running_step_is_resumed_at_the_next_start() {
    let web = Web::start();
    let project = project(&web);
    web.hold("/x");
    let node = project.serve();
    let run = node.start_run("call");
    web.wait_requests("/x", 1);
    let (status, took) = node.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < patient(A_FEW_SECONDS), "it took {took:?}");
    assert!(!project.path(".trackside/trackside.sock").exists(), "its socket is still there");
    assert_eq!(project.show(&run)["state"], "running", "stopping is not failing");
    web.release();
    let node = project.serve();
    let view = project.wait_end(&run);
    assert_eq!(view["state"], "succeeded", "{view:#}");
    assert_eq!(
        (&step(&view, "before")["attempts"], &step(&view, "ask")["attempts"]),
        (&1.into(), &2.into()),
        "{view:#}"
    );
    assert_eq!(web.requests("/x").len(), 2);
    drop(node);
}

#[test]
fn a_step_that_computes_for_ever_does_not_hold_up_the_end() {
    let web = Web::start();
    let project = project(&web);
    project.misbehave("misbehave");
    project.workflow(
        "endless",
        "steps:\n  a: { plugin: misbehave, with: { mode: loop }, limits: { cpu: 1h, wall: 1h } }\n",
    );
    let node = project.serve();
    let run = node.start_run("endless");
    crate::support::wait_until("it runs", || (step(&project.show(&run), "a")["state"] == "running").then_some(()));
    let (status, took) = node.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < patient(A_FEW_SECONDS), "it took {took:?}");
}

#[test]
fn the_service_manager_is_told_that_it_stops() {
    let web = Web::start();
    let project = project(&web);
    for signal in [Signal::TERM, Signal::INT] {
        let node = project.serve();
        node.signal(signal);
        let told = node.notify.until("STOPPING=1", patient(A_FEW_SECONDS));
        assert!(told.is_ok(), "{told:?}\n{}", node.said());
        assert_eq!(node.wait().code(), Some(0));
    }
}

#[test]
fn a_socket_that_a_killed_node_left_is_no_obstacle() {
    let web = Web::start();
    let project = project(&web);
    project.serve().kill();
    assert!(project.path(".trackside/trackside.sock").exists());
    // Without a node: the command notices that nobody answers.
    project.run(&["run", "call"]).ok();
    let node = project.serve();
    assert_eq!(node.ask("GET", "/v1/status", "").0, 200);
}
