//! Who vouches for a plugin.

use std::{fs, process::Command};

use crate::{
    component::{inspected, project, variant},
    support::{
        Project,
        optional::not_run,
        registry::{Door, Registry, openssl},
    },
};

const STRICT: &str = "[plugins]\nkeys = [\"ops.pub\"]\nrequire_signature = true\n";

/// A project that wants signatures by the key `ops`, and another key that nobody asked for.
fn strict(algorithm: &str, more: &str) -> Project {
    let project = project("mine", &format!("{STRICT}{more}"));
    for name in ["ops", "other"] {
        project.run(&["plugin", "keygen", name, "--algorithm", algorithm]).ok();
    }
    project.write("mine.wasm", variant("one"));
    project
}

#[track_caller]
fn is_refused(project: &Project, what: &str, words: &str) {
    project.run(&["plugin", "add", what, "--name", "mine"]).exits(1).says(&["TS-0605", words]);
    assert!(!project.path("workflow.lock").exists());
}

#[test]
fn a_policy_lets_only_signed_files_in() {
    for algorithm in ["ed25519", "p256"] {
        let project = strict(algorithm, "");
        is_refused(&project, "mine.wasm", "there is no signature");
        project.run(&["plugin", "sign", "mine.wasm", "--key", "other.key"]).ok();
        is_refused(&project, "mine.wasm", "none of the keys (ops.pub)");
        project.run(&["plugin", "sign", "mine.wasm", "--key", "ops.key"]).ok().prints(&["mine.wasm.sig"]);
        project.write("changed.wasm", variant("two"));
        fs::copy(project.path("mine.wasm.sig"), project.path("changed.wasm.sig")).unwrap();
        is_refused(&project, "changed.wasm", "none of the keys");
        project.run(&["plugin", "add", "mine.wasm"]).ok().prints(&["signed by ops.pub"]);
        project.run(&["run", "use"]).ok();
        let id = project.run(&["plugin", "inspect", "mine", "--json"]).ok().json()["signature"]["id"].clone();
        assert!(project.read("workflow.lock").contains(&format!("signature = {id}")));
    }
}

#[test]
fn a_policy_holds_at_every_load_and_not_only_when_a_plugin_is_installed() {
    let project = strict("ed25519", "");
    project.run(&["plugin", "sign", "mine.wasm", "--key", "ops.key"]).ok();
    project.run(&["plugin", "add", "mine.wasm"]).ok();
    // The key is not trusted any more.
    fs::copy(project.path("other.pub"), project.path("ops.pub")).unwrap();
    project.run(&["run", "use"]).exits(1).says(&["TS-0605", "none of the keys"]);
    // Nor does a line in the lock file help.
    let receipt = project.names(".trackside/plugins").into_iter().find(|name| name.ends_with(".json")).unwrap();
    fs::remove_file(project.path(".trackside/plugins").join(receipt)).unwrap();
    project.run(&["run", "use"]).exits(1).says(&["TS-0605", "no signature"]);
}

#[test]
fn a_policy_holds_for_files_of_the_project_and_not_for_what_is_part_of_the_binary() {
    let project = strict("ed25519", "");
    project.workflow("bundled", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.workflow("path", "steps:\n  a: { plugin: mine.wasm, with: { value: 1 } }\n");
    project.run(&["run", "bundled"]).ok();
    project.write("plugins/mine.wasm", variant("one"));
    for workflow in ["use", "path"] {
        project.run(&["run", workflow]).exits(1).says(&["TS-0605"]);
    }
    for file in ["mine.wasm", "plugins/mine.wasm"] {
        project.run(&["plugin", "sign", file, "--key", "ops.key"]).ok();
    }
    for workflow in ["use", "path"] {
        project.run(&["run", workflow]).ok();
    }
}

#[test]
fn signatures_and_keys_of_openssl_count_and_openssl_takes_ours() {
    if Command::new("openssl").arg("version").output().is_err() {
        return not_run("openssl", "signatures by openssl", "there is no openssl");
    }
    let project = project("mine", STRICT);
    let root = project.root();
    project.write("mine.wasm", variant("one"));
    openssl(root, &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ops.key"]);
    openssl(root, &["pkey", "-in", "ops.key", "-pubout", "-out", "ops.pub"]);
    openssl(root, &["dgst", "-sha256", "-sign", "ops.key", "-out", "raw", "mine.wasm"]);
    openssl(root, &["base64", "-A", "-in", "raw", "-out", "mine.wasm.sig"]);
    project.run(&["plugin", "add", "mine.wasm"]).ok().prints(&["signed by ops.pub"]);
    // And the other way round, with a key of ours.
    project.run(&["plugin", "keygen", "own", "--algorithm", "p256"]).ok();
    project.run(&["plugin", "sign", "mine.wasm", "--key", "own.key"]).ok();
    openssl(root, &["base64", "-d", "-A", "-in", "mine.wasm.sig", "-out", "raw"]);
    openssl(root, &["dgst", "-sha256", "-verify", "own.pub", "-signature", "raw", "mine.wasm"]);
    for key in ["ops.key", "own.key"] {
        project.run(&["plugin", "sign", "mine.wasm", "--key", key]).ok();
    }

    openssl(root, &["genpkey", "-algorithm", "ED25519", "-out", "ed.key"]);
    openssl(root, &["pkey", "-in", "ed.key", "-pubout", "-out", "ops.pub"]);
    openssl(root, &["pkeyutl", "-sign", "-rawin", "-inkey", "ed.key", "-in", "mine.wasm", "-out", "raw"]);
    openssl(root, &["base64", "-A", "-in", "raw", "-out", "mine.wasm.sig"]);
    project.run(&["plugin", "add", "mine.wasm"]).ok().prints(&["signed by ops.pub"]);
    project.run(&["plugin", "keygen", "own-ed"]).ok();
    project.run(&["plugin", "sign", "mine.wasm", "--key", "own-ed.key"]).ok();
    openssl(root, &["base64", "-d", "-A", "-in", "mine.wasm.sig", "-out", "raw"]);
    openssl(
        root,
        &["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "own-ed.pub", "-in", "mine.wasm", "-sigfile", "raw"],
    );

    openssl(root, &["genpkey", "-algorithm", "RSA", "-out", "rsa.key"]);
    project.run(&["plugin", "sign", "mine.wasm", "--key", "rsa.key"]).exits(3).says(&["TS-0609", "neither"]);
    openssl(root, &["pkey", "-in", "rsa.key", "-pubout", "-out", "ops.pub"]);
    project.run(&["plugin", "add", "mine.wasm"]).exits(3).says(&["TS-0609", "ops.pub"]);
}

#[test]
fn a_key_that_is_there_is_not_written_over() {
    let project = Project::new();
    project.run(&["plugin", "keygen", "ops"]).ok();
    let key = project.read("ops.key");
    project.run(&["plugin", "keygen", "ops"]).exits(3).says(&["TS-0654"]);
    assert_eq!(project.read("ops.key"), key);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(project.path("ops.key")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_signature_in_the_registry_counts_and_travels_with_the_lock() {
    let Some(registry) = Registry::start("signatures in a registry", Door::Open) else { return };
    let reference = registry.reference("acme/mine:1");
    let signer = strict("p256", &registry.config());
    let pushed = signer.run(&["plugin", "push", "mine.wasm", &reference]).ok().stdout;
    is_refused(&signer, &reference, "there is no signature");
    signer.run(&["plugin", "sign", &reference, "--key", "other.key"]).ok();
    is_refused(&signer, &reference, "none of the keys (ops.pub)");
    // A second signature joins the first.
    let signed = signer.run(&["plugin", "sign", &reference, "--key", "ops.key"]).ok().stdout;
    assert_eq!(signed, pushed);
    signer.run(&["plugin", "add", &reference]).ok().prints(&["signed by ops.pub"]);
    signer.run(&["run", "use"]).ok();

    let second = project("mine", &format!("{STRICT}{}", registry.config()));
    second.write("ops.pub", signer.read("ops.pub"));
    second.write("workflow.lock", signer.read("workflow.lock"));
    second.run(&["plugin", "sync"]).ok();
    second.run(&["run", "use"]).ok();
    assert_eq!(inspected(&second, "mine")["signature"]["key"], "ops.pub");

    // A signature for another manifest does not become one for this by being moved.
    signer.write("mine.wasm", variant("two"));
    signer.run(&["plugin", "push", "mine.wasm", &registry.reference("acme/mine:2")]).ok();
    signer.run(&["plugin", "add", &registry.reference("acme/mine:2"), "--name", "mine"]).exits(1).says(&["TS-0605"]);
    let push = ["plugin", "push", "mine.wasm", &registry.reference("acme/mine:3"), "--key", "ops.key"];
    signer.run(&push).ok();
    signer.run(&["plugin", "add", &registry.reference("acme/mine:3"), "--name", "mine"]).ok();
}
