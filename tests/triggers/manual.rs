//! Runs by hand, on a running node and without one.

use crate::support::{Project, Trackside, wait_until, web::Web};

fn project() -> Project {
    let project = Project::new();
    project.workflow(
        "greet",
        "params:\n  who: { type: string }\n  times: { type: integer, default: 2 }\n\
         steps:\n  greet:\n    plugin: echo\n    with: { value: { who: \"${params.who}\", times: \"${params.times}\", file: \"${trigger.file}\" } }\n",
    );
    project
}

#[test]
fn parameters_and_a_file_reach_the_steps_with_and_without_a_node() {
    let project = project();
    project.write("data/x.csv", "a\n1\n");
    let run = |file: &str| project.run(&["run", "greet", "-p", "who=a=b", "--file", file, "--json"]).ok().json();
    let alone = run("data/x.csv");
    let node = project.serve();
    let hosted = run("data/x.csv");
    for view in [&alone, &hosted] {
        let value = &view["outputs"]["greet"]["value"];
        assert_eq!((&value["who"], &value["times"]), (&"a=b".into(), &2.into()), "{view:#}");
        assert_eq!((&value["file"]["name"], &value["file"]["size"]), (&"x.csv".into(), &4.into()), "{view:#}");
        assert_eq!((&view["trigger"]["kind"], &view["state"]), (&"manual".into(), &"succeeded".into()));
    }
    assert_eq!(
        alone["outputs"]["greet"]["value"]["file"]["artifact"],
        hosted["outputs"]["greet"]["value"]["file"]["artifact"]
    );
    assert_eq!(project.runs().len(), 2);
    // A file that has no name on this box is refused by the node too.
    let (status, answer) =
        node.ask("POST", "/v1/runs", r#"{"workflow":"greet","params":{"who":"x"},"file":"relative"}"#);
    assert!(status == 400 && answer.contains("TS-0713"), "{status} {answer}");
}

#[test]
fn run_reaches_the_running_node_over_its_socket_and_shows_the_steps() {
    let project = project();
    let _node = project.serve();
    let ran = project.run(&["run", "greet", "-p", "who=you"]).ok();
    ran.says(&["greet", "succeeded"]).prints(&["\"who\":\"you\""]);
    // From anywhere.
    let root = project.root().display().to_string();
    Trackside::new(&["--project", &root, "run", "greet", "-p", "who=me"]).run().ok();
    assert_eq!(project.runs().len(), 2);
}

#[test]
fn a_detached_run_goes_on_without_its_caller_and_needs_a_node() {
    let (project, web) = (project(), Web::start());
    let origin = web.origin();
    project.workflow(
        "call",
        &format!(
            "steps:\n  ask:\n    plugin: http-request\n    with: {{ url: \"{origin}/x\" }}\n    allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n"
        ),
    );
    project.run(&["run", "call", "--detach"]).exits(3).says(&["TS-0831", "trackside serve"]);
    assert!(project.runs().is_empty() && web.requests("/x").is_empty());
    let _node = project.serve();
    web.hold("/x");
    let run = project.run(&["run", "call", "--detach"]).ok().stdout.trim().to_owned();
    web.wait_requests("/x", 1);
    assert_eq!(project.show(&run)["state"], "running");
    web.release();
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
}

#[test]
fn a_parameter_that_is_missing_is_named() {
    let project = project();
    project.run(&["run", "greet"]).exits(2).says(&["TS-0712", "who"]);
    let node = project.serve();
    project.run(&["run", "greet"]).exits(2).says(&["TS-0712", "who"]);
    let (status, answer) = node.ask("POST", "/v1/runs", r#"{"workflow":"greet"}"#);
    assert!(status == 400 && answer.contains("TS-0712") && answer.contains("who"), "{status} {answer}");
    assert!(project.runs().is_empty());
}

#[test]
fn a_run_by_hand_has_what_its_file_says_also_when_the_node_has_not_heard_of_a_change() {
    let project = project();
    let _node = project.serve();
    let text = project.read("workflows/greet.yaml").replace("default: 2", "default: 3");
    project.write("workflows/greet.yaml", &text);
    let ran = project.run(&["run", "greet", "-p", "who=you", "--json"]).ok();
    assert_eq!(ran.json()["params"]["times"], 3);
    // A change that is right in itself and that the node can not use.
    let text = text.replace("plugin: echo", "plugin: ghost");
    project.write("workflows/greet.yaml", text);
    let ran = project.run(&["run", "greet", "-p", "who=you", "--json"]).ok().says(&["warning", "trackside status"]);
    assert_eq!(ran.json()["params"]["times"], 3);
}

#[test]
fn ctrl_c_cancels_the_run_and_ends_with_130() {
    use rustix::process::{Pid, Signal, kill_process};

    let (project, web) = (project(), Web::start());
    let origin = web.origin();
    project.workflow(
        "call",
        &format!(
            "steps:\n  ask:\n    plugin: http-request\n    with: {{ url: \"{origin}/x\" }}\n    allow: {{ http: [{{ origin: \"{origin}\", private: true }}] }}\n"
        ),
    );
    web.hold("/x");
    let mut command = crate::support::command::binary();
    command.args(["run", "call", "--quiet", "--project"]).arg(project.root()).stderr(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    web.wait_requests("/x", 1);
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let status = wait_until("the command ends", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    assert_eq!(project.show("last")["state"], "cancelled");
}
