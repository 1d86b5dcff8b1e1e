//! Models from a real registry: the same client as for plugins, the same signatures.

use std::fs;

use serde_json::Value;

use crate::{
    onnx, project,
    support::{
        Project,
        polled::{Answer, Polled},
        registry::{Door, Registry},
    },
};

const INPUT: [&str; 2] = ["--input", "x=[-1, 2, -3, 4]"];

fn box_with(registry: &Registry, policy: &str) -> Project {
    let project = project(&format!("[engine]\nprefer = \"rten\"\n{policy}{}", registry.config()));
    for name in ["ops", "other"] {
        project.run(&["plugin", "keygen", name, "--algorithm", "p256"]).ok();
    }
    project
}

#[track_caller]
fn add(project: &Project, name: &str, reference: &str) -> Value {
    project.run(&["model", "add", name, reference, "--json"]).ok().json()
}

/// Nothing that was pulled is left, and nothing was taken.
#[track_caller]
fn is_empty(project: &Project) {
    assert_eq!(project.run(&["model", "list", "--json"]).ok().json(), serde_json::json!([]));
    assert_eq!(project.names(".trackside/pull"), [".busy"]);
}

#[test]
fn a_model_is_pulled_by_tag_and_by_digest() {
    let Some(registry) = Registry::start("models from a registry", Door::Open) else { return };
    let project = box_with(&registry, "");
    let (relu, abs) = (onnx::one_operator("", "Relu"), onnx::one_operator("", "Abs"));
    let exact = registry.push_files("acme/pump:1", &[("pump.onnx", &relu), ("notes/README.md", b"for the plant")]);
    let tagged = registry.reference("acme/pump:1");
    let added = add(&project, "pump", &tagged);
    assert_eq!((&added[0]["added"], &added[0]["version"]), (&true.into(), &1.into()), "{added:#}");
    let again = add(&project, "pump", &exact);
    assert_eq!((&again[0]["added"], &again[0]["version"]), (&false.into(), &1.into()), "the same, by its digest");
    let told = project.run(&["model", "inspect", "pump", "--json"]).ok().json();
    let manifest = &told["registered"]["manifest"];
    assert_eq!((&manifest["origin"], &manifest["files"][0]["path"]), (&exact.into(), &"notes/README.md".into()));
    project.run(&[&["model", "predict", "pump"][..], &INPUT].concat()).ok().prints(&["[0.0,2.0,0.0,4.0]"]);
    // The tag leads elsewhere now: another version for whoever asks for it.
    registry.push_files("acme/pump:1", &[("pump.onnx", &abs)]);
    assert_eq!(add(&project, "pump", &tagged)[0]["version"], 2);
    // A running node takes it just so, and an export is what it is elsewhere, too.
    project.run(&["model", "export", "pump@2", "pump.tar"]).ok();
    registry.push_files("acme/export:1", &[("pump.tar", &fs::read(project.path("pump.tar")).unwrap())]);
    let node = project.serve();
    assert_eq!(
        add(&project, "fan", &registry.reference("acme/export:1"))[0]["digest"],
        added_digest(&project, "pump@2")
    );
    drop(node);
    assert_eq!(project.names(".trackside/pull"), [".busy"]);
    let missing = registry.reference("acme/pump:2");
    project.run(&["model", "add", "pump", &missing]).exits(2).says(&["TS-0644"]);
    project.run(&["model", "add", "pump", "oci://nowhere"]).exits(2).says(&["TS-0641"]);
}

fn added_digest(project: &Project, version: &str) -> Value {
    let told = project.run(&["model", "inspect", version, "--json"]).ok().json();
    told["registered"]["version"]["digest"].clone()
}

#[test]
fn what_is_no_model_or_was_changed_is_refused_and_leaves_nothing() {
    let Some(registry) = Registry::start("models of a tampered registry", Door::Open) else { return };
    let project = box_with(&registry, "");
    let relu = onnx::one_operator("", "Relu");
    let refused = |tag: &str, files: &[(&str, &[u8])], code: i32, words: &[&str]| {
        registry.push_files(&format!("acme/pump:{tag}"), files);
        let reference = registry.reference(&format!("acme/pump:{tag}"));
        project.run(&["model", "add", "pump", &reference]).exits(code).says(words);
    };
    refused("twice", &[("a.onnx", &relu), ("a.onnx", b"x")], 2, &["TS-0596", "called a.onnx"]);
    for path in ["../evil.onnx", "/tmp/evil.onnx", "a/../../evil.onnx", ".hidden/evil.onnx", "manifest.json"] {
        refused("path", &[(path, &relu)], 2, &["TS-0555"]);
    }
    refused("none", &[("notes.txt", b"nothing")], 2, &["TS-0555", "acme/pump@sha256:", "no .onnx file"]);
    assert!(!project.path(".trackside/evil.onnx").exists() && !project.path("evil.onnx").exists());
    is_empty(&project);
    // A registry that gives other bytes than its manifest names.
    let exact = registry.push_files("acme/pump:1", &[("pump.onnx", &relu)]);
    let blob = registry.blob(&crate::support::registry::digest(&relu));
    let mut bad = relu.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(&blob, &bad).unwrap();
    project.run(&["model", "add", "pump", &exact]).exits(1).says(&["TS-0647"]);
    is_empty(&project);
    fs::write(&blob, &relu).unwrap();
    project.run(&["model", "add", "pump", &exact]).ok();
}

#[test]
fn more_than_a_model_may_be_is_refused_before_any_of_it_comes() {
    let server = Polled::start(Answer::ok(""));
    let host = server.origin().replace("http://", "");
    let project = project(&format!("[registries.\"{host}\"]\nplain_http = true\n"));
    let digest = crate::support::registry::digest(b"");
    let layer = |name: &str, size: u64| {
        serde_json::json!({
            "mediaType": "a/b", "digest": digest, "size": size, "annotations": { "org.opencontainers.image.title": name }
        })
    };
    let refused = |layers: Vec<Value>, code: i32, words: &[&str]| {
        server.set(Answer::ok(&serde_json::json!({ "schemaVersion": 2, "layers": layers }).to_string()));
        let reference = format!("oci://{host}/acme/pump:1");
        project.run(&["model", "add", "pump", &reference]).exits(code).says(words);
    };
    refused(vec![layer("a.onnx", 1 << 62), layer("b", 1 << 63)], 2, &["TS-0556"]);
    refused((0..65).map(|at| layer(&format!("{at}.bin"), 1)).collect(), 2, &["TS-0596", "65 layers"]);
    refused(vec![layer("a.onnx", 3 << 30)], 2, &["TS-0556"]);
    assert!(server.asked().iter().all(|asked| asked.contains("/manifests/")), "no blob was asked for");
}

/// A project, and what it may ask a registry for that has manifests and no blob.
fn with_half_a_registry() -> (Polled, Project, String) {
    let layer = serde_json::json!({
        "mediaType": "a/b", "digest": crate::support::registry::digest(b"other"), "size": 5,
        "annotations": { "org.opencontainers.image.title": "a.onnx" }
    });
    let server = Polled::start(Answer::ok(&serde_json::json!({ "schemaVersion": 2, "layers": [layer] }).to_string()));
    let host = server.origin().replace("http://", "");
    let project = project(&format!("[registries.\"{host}\"]\nplain_http = true\n"));
    (server, project, format!("oci://{host}/acme/pump:1"))
}

/// What a pull that was killed may have left, and what somebody has put there.
fn leave(project: &Project) {
    project.write(".trackside/pull/.tmpAbC/half.onnx", "half");
    project.write(".trackside/pull/stray", "stray");
    std::os::unix::fs::symlink("/nowhere", project.path(".trackside/pull/link")).unwrap();
}

#[test]
fn what_a_pull_that_was_killed_has_left_is_removed_when_a_node_starts() {
    let (_server, project, _) = with_half_a_registry();
    leave(&project);
    drop(project.serve());
    assert_eq!(project.names(".trackside/pull"), [".busy"]);
    // Not while somebody pulls.
    leave(&project);
    let held = fs::File::open(project.path(".trackside/pull/.busy")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    drop(project.serve());
    assert_eq!(project.names(".trackside/pull").len(), 4);
    drop(held);
    drop(project.serve());
    assert_eq!(project.names(".trackside/pull"), [".busy"]);
}

#[test]
fn whatever_lies_in_the_way_of_a_pull_is_removed() {
    let (_server, project, reference) = with_half_a_registry();
    leave(&project);
    // The registry gives another blob than it announces: so far it must come.
    let ran = project.run(&["model", "add", "pump", &reference]);
    assert!(!ran.stderr.contains("TS-0562") && !ran.stderr.is_empty(), "{}", ran.stderr);
    is_empty(&project);
}

#[test]
fn a_second_pull_says_that_it_waits_for_the_first() {
    let (_server, project, reference) = with_half_a_registry();
    project.write(".trackside/pull/.busy", "");
    let held = fs::File::open(project.path(".trackside/pull/.busy")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut command = crate::support::command::binary();
    command.current_dir(project.root()).args(["model", "add", "pump", &reference]);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    // A command that says nothing of it says now and then that it is at work.
    let waits = lines.by_ref().take(4).any(|line| line.unwrap().contains("another model is being pulled"));
    assert!(waits, "it says nothing of that");
    drop(held);
    assert!(!child.wait().unwrap().success());
    assert_eq!(project.names(".trackside/pull"), [".busy"]);
}

#[test]
fn signatures_come_from_the_registry_and_from_among_the_files() {
    let Some(registry) = Registry::start("signed models from a registry", Door::Open) else { return };
    let policy = "[policy]\nsigned_models = true\nmodel_keys = [\"ops.pub\"]\n";
    let project = box_with(&registry, policy);
    let relu = onnx::one_operator("", "Relu");
    let exact = registry.push_files("acme/pump:1", &[("pump.onnx", &relu), ("more.txt", b"more")]);
    let add = || project.run(&["model", "add", "pump", &exact]);
    add().exits(2).says(&["TS-0595"]);
    project.run(&["plugin", "sign", &exact, "--key", "other.key"]).ok();
    add().exits(2).says(&["TS-0592"]);
    is_empty(&project);
    // In cosign's layout, as for plugins; both signatures lie there now.
    project.run(&["plugin", "sign", &exact, "--key", "ops.key"]).ok();
    add().ok().says(&["pump@1 is added", "pump@1 is signed by ops.pub"]);
    project.run(&["model", "verify", "pump"]).ok().prints(&["signed by ops.pub"]);
    let predict = || project.run(&[&["model", "predict", "pump"][..], &INPUT].concat());
    predict().ok();
    // It is held against the files at every load.
    let key = project.read("ops.pub");
    project.write("ops.pub", "");
    predict().exits(3);
    project.write("ops.pub", key);
    predict().ok();
    // OpenSSF Model Signing, pushed beside the model.
    project.write("fan/fan.onnx", onnx::one_operator("", "Abs"));
    project.run(&["model", "sign", "fan", "--key", "ops.key"]).ok();
    let (fan, signature) =
        (fs::read(project.path("fan/fan.onnx")).unwrap(), fs::read(project.path("fan/model.sig")).unwrap());
    registry.push_files("acme/fan:1", &[("fan.onnx", &fan), ("model.sig", &signature)]);
    project.run(&["model", "add", "fan", &registry.reference("acme/fan:1")]).ok().says(&["fan@1 is signed by ops.pub"]);
    // A signature of one model is none of another, wherever it is put.
    let kept = |model: &str| {
        let digest = added_digest(&project, model);
        format!(".trackside/models/{}/signatures.json", digest.as_str().unwrap().replace(':', "-"))
    };
    let (of_pump, of_fan) = (kept("pump"), kept("fan"));
    let [pump, fan] = [&of_pump, &of_fan].map(|path| fs::read(project.path(path)).unwrap());
    let put = |path: &str, bytes: &[u8]| {
        fs::remove_file(project.path(path)).unwrap();
        project.write(path, bytes);
    };
    put(&of_pump, &fan);
    put(&of_fan, &pump);
    for model in ["pump", "fan"] {
        project.run(&[&["model", "predict", model][..], &INPUT].concat()).exits(1).says(&["TS-0594"]);
    }
    put(&of_pump, &pump);
    predict().ok();
    registry.push_files("acme/fan:2", &[("fan.onnx", &relu), ("model.sig", &signature)]);
    project.run(&["model", "add", "fan", &registry.reference("acme/fan:2")]).exits(1).says(&["TS-0594"]);
}
