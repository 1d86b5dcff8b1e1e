//! Installing from a real registry.

use std::fs;

use crate::{
    component::{components, inspected, project, variant},
    support::{
        Project,
        registry::{Door, Registry},
    },
};

/// Pushes a component; gives the reference with its digest.
#[track_caller]
fn push(registry: &Registry, project: &Project, mark: &str, to: &str) -> String {
    project.write("pushed.wasm", variant(mark));
    let ran = project.run(&["plugin", "push", "pushed.wasm", &registry.reference(to)]).ok();
    let exact = ran.stdout.trim().to_owned();
    assert!(exact.starts_with(&registry.reference("acme/")) && exact.contains("@sha256:"), "{ran}");
    exact
}

#[test]
fn what_is_pushed_is_pulled_by_tag_and_by_digest_and_runs() {
    let Some(registry) = Registry::start("push and pull", Door::Open) else { return };
    let tagged = registry.reference("acme/line-stats:1");
    let project = project(&tagged, &registry.config());
    project.run(&["run", "use"]).exits(1).says(&["TS-0608", "trackside plugin add"]);
    let exact = push(&registry, &project, "one", "acme/line-stats:1");
    project.run(&["plugin", "add", &tagged]).ok().prints(&["line-stats 0.1.0 is installed"]);
    project.run(&["run", "use"]).ok();
    project.run(&["plugin", "add", &exact, "--name", "by-digest"]).ok();
    let (by_tag, by_digest) = (inspected(&project, "line-stats"), inspected(&project, "by-digest"));
    assert_eq!(by_tag["digest"], by_digest["digest"]);
    assert_eq!(by_digest["source"], exact);
    assert_eq!(components(&project).len(), 1, "one component, two names");
    project.run(&["plugin", "add", &tagged, "--name", "again"]).exits(2).says(&["TS-0658", "line-stats"]);
    let missing = registry.reference("acme/line-stats:2");
    project.run(&["plugin", "add", &missing]).exits(2).says(&["TS-0644"]);
    project.run(&["plugin", "add", &registry.reference("acme/none:1")]).exits(2).says(&["TS-0644"]);
}

#[test]
fn a_new_box_gets_what_the_lock_says_even_when_the_tag_has_moved() {
    let Some(registry) = Registry::start("sync", Door::Open) else { return };
    let first = project("line-stats", &registry.config());
    let reference = registry.reference("acme/line-stats:1");
    push(&registry, &first, "one", "acme/line-stats:1");
    first.run(&["plugin", "add", &reference]).ok();
    push(&registry, &first, "two", "acme/line-stats:1");

    let second = project("line-stats", &registry.config());
    second.write("workflow.lock", first.read("workflow.lock"));
    second.run(&["run", "use"]).exits(1).says(&["TS-0603", "trackside plugin sync"]);
    second.run(&["plugin", "sync"]).ok().says(&["1 plugin fetched, 0 there"]);
    second.run(&["run", "use"]).ok();
    assert_eq!(inspected(&second, "line-stats")["digest"], inspected(&first, "line-stats")["digest"]);
    assert_eq!(second.read("workflow.lock"), first.read("workflow.lock"));
    second.run(&["plugin", "sync"]).ok().says(&["0 plugins fetched, 1 there"]);

    // The moved tag is an update for whoever asks for it, and there is a way back.
    first.run(&["plugin", "add", &reference]).ok();
    assert_ne!(inspected(&second, "line-stats")["digest"], inspected(&first, "line-stats")["digest"]);
    first.run(&["plugin", "rollback", "line-stats"]).ok();
    assert_eq!(first.read("workflow.lock"), second.read("workflow.lock"));
    first.run(&["run", "use"]).ok();
}

#[test]
fn a_registry_whose_bytes_were_changed_installs_nothing() {
    let Some(registry) = Registry::start("a tampered registry", Door::Open) else { return };
    let project = project("line-stats", &registry.config());
    let exact = push(&registry, &project, "one", "acme/line-stats:1");
    let reference = registry.reference("acme/line-stats:1");
    project.run(&["plugin", "add", &reference]).ok();
    let component = inspected(&project, "line-stats")["digest"].as_str().unwrap().to_owned();
    let manifest = exact.split_once('@').unwrap().1;
    project.run(&["plugin", "remove", "line-stats"]).ok();
    let lock = project.read("workflow.lock");

    let blob = registry.blob(&component);
    let good = fs::read(&blob).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(&blob, &bad).unwrap();
    project.run(&["plugin", "add", &reference]).exits(1).says(&["TS-0647", &component]);
    fs::write(&blob, &good).unwrap();

    // The registry notices a changed manifest itself; whatever it answers, nothing is installed.
    let file = registry.blob(manifest);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("0.1.0", "0.1.1")).unwrap();
    let ran = project.run(&["plugin", "add", &exact, "--name", "line-stats"]);
    assert_ne!(ran.code(), 0, "{ran}");
    assert_eq!(project.read("workflow.lock"), lock);
    assert_eq!(components(&project), [""; 0]);
}

#[test]
fn a_registry_with_a_password_is_for_those_who_have_it() {
    let Some(registry) = Registry::start("a registry with a password", Door::Password) else { return };
    let stranger = project("line-stats", &format!("[registries.\"{}\"]\nplain_http = true\n", registry.host));
    let reference = registry.reference("acme/line-stats:1");
    stranger.write("mine.wasm", variant("one"));
    stranger.run(&["plugin", "push", "mine.wasm", &reference]).exits(3).says(&["TS-0643", "password_file"]);
    let ops = project("line-stats", &registry.config());
    push(&registry, &ops, "one", "acme/line-stats:1");
    ops.run(&["plugin", "add", &reference]).ok();
    ops.run(&["run", "use"]).ok();
    stranger.run(&["plugin", "add", &reference]).exits(3).says(&["TS-0643"]);
    crate::support::registry::private(&registry.secret(), "wrong\n");
    let ran = ops.run(&["plugin", "add", &reference]).exits(3).says(&["TS-0643"]);
    assert!(!ran.stderr.contains("wrong\n") && !ran.stderr.contains("d3Jvbmc"), "{ran}");
}

#[test]
fn tls_is_spoken_unless_the_config_says_otherwise_and_the_certificate_counts() {
    let Some(registry) = Registry::start("a registry with TLS", Door::Tls) else { return };
    let trusting = project("line-stats", &registry.config());
    let reference = registry.reference("acme/line-stats:1");
    push(&registry, &trusting, "one", "acme/line-stats:1");
    trusting.run(&["plugin", "add", &reference]).ok();
    trusting.run(&["run", "use"]).ok();
    let wary = project("line-stats", "");
    wary.run(&["plugin", "add", &reference]).exits(3).says(&["TS-0642", "certificate"]);
    let Some(open) = Registry::start("a registry without TLS", Door::Open) else { return };
    let reference = open.reference("acme/line-stats:1");
    wary.run(&["plugin", "add", &reference]).exits(3).says(&["TS-0642"]);
}
