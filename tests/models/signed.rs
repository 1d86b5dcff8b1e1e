//! Who vouches for a model: asked when it is added, and each time that it is loaded.

use std::fs;

use serde_json::{Value, json};

use crate::{
    onnx, project,
    support::{Project, Ran, project::step},
};

/// Models must be signed by the key `ops`.
const STRICT: &str = "[policy]\nsigned_models = true\nmodel_keys = [\"ops.pub\"]\n";
const LAX: &str = "[policy]\nmodel_keys = [\"ops.pub\"]\n";
const ENGINE: &str = "[engine]\nprefer = \"rten\"\n";
const INPUT: &str = "x=[-1, 2, -3, 4]";

/// A project with such a config, the models `relu.onnx` and `abs.onnx`, and the keys `ops` and `other`.
fn with(config: &str) -> Project {
    let project = project(&format!("{ENGINE}{config}"));
    for (file, operator) in [("relu.onnx", "Relu"), ("abs.onnx", "Abs")] {
        project.write(file, onnx::one_operator("", operator));
    }
    for name in ["ops", "other"] {
        project.run(&["plugin", "keygen", name, "--algorithm", "p256"]).ok();
    }
    project
}

fn configure(project: &Project, config: &str) {
    project.write("trackside.toml", format!("{ENGINE}{config}"));
}

#[track_caller]
fn sign(project: &Project, path: &str, key: &str) {
    project.run(&["model", "sign", path, "--key", key]).ok();
}

#[test]
fn keys_that_can_not_be_used_are_told_before_a_model_is_loaded() {
    let project = with(STRICT);
    project.run(&["check"]).ok().says(&["no problems"]);
    configure(&project, "[policy]\nmodel_keys = [\"ops.pub\", \"gone.pub\", \"relu.onnx\"]\n");
    let checked = project.run(&["check"]).exits(1);
    checked.says(&["TS-0609", "trackside.toml:4:26", "gone.pub", "trackside.toml:4:38", "relu.onnx", "2 problems"]);
    let told = project.run(&["--json", "check"]).exits(1).json();
    assert_eq!((&told["problems"], &told["config"][1]["code"]), (&json!(2), &json!("TS-0609")), "{told:#}");
    let node = project.serve();
    assert!(node.said().contains("TS-0609") && node.said().contains("gone.pub"), "{}", node.said());
    project.run(&["status"]).exits(1).says(&["TS-0609", "trackside.toml:4:26", "gone.pub"]);
    // Mended, it is no problem any more, without a restart.
    fs::copy(project.path("ops.pub"), project.path("gone.pub")).unwrap();
    fs::copy(project.path("ops.pub"), project.path("relu.onnx")).unwrap();
    project.run(&["status"]).ok();
    drop(node);
    project.run(&["check"]).ok().says(&["no problems"]);
}

#[track_caller]
fn predict(project: &Project, model: &str) -> Ran {
    project.run(&["model", "predict", model, "--input", INPUT])
}

/// Nothing was taken.
#[track_caller]
fn is_empty(project: &Project) {
    assert_eq!(project.run(&["model", "list", "--json"]).ok().json(), json!([]));
    let folders = project.path(".trackside/models");
    assert!(!folders.exists() || project.names(".trackside/models").is_empty());
}

/// The only folder of a model.
#[track_caller]
fn folder(project: &Project) -> String {
    let names = project.names(".trackside/models");
    let [name] = names.as_slice() else { panic!("{names:?}") };
    format!(".trackside/models/{name}")
}

/// What is kept can not be written: another file takes its place.
fn put(project: &Project, path: &str, bytes: &[u8]) {
    fs::remove_file(project.path(path)).unwrap();
    project.write(path, bytes);
}

#[test]
fn only_what_a_trusted_key_has_signed_is_taken() {
    let project = with(STRICT);
    let add = |more: &[&str]| project.run(&[&["model", "add", "pump", "relu.onnx"][..], more].concat());
    add(&[]).exits(2).says(&["error[TS-0595]", "the model pump is not signed", "it came without a signature"]);
    sign(&project, "relu.onnx", "other.key");
    add(&[]).exits(2).says(&["error[TS-0592]", "(ops.pub)"]);
    // A good signature of another model is not taken for one of this.
    sign(&project, "abs.onnx", "ops.key");
    add(&["--signature", "abs.onnx.sig"]).exits(1).says(&["error[TS-0594]", "abs.onnx"]);
    project.write("rubbish.sig", "{}");
    add(&["--signature", "rubbish.sig"]).exits(2).says(&["error[TS-0590]"]);
    add(&["--signature", "none.sig"]).exits(2).says(&["none.sig"]);
    is_empty(&project);
    project.run(&["model", "sign", "relu.onnx", "--key", "ops.key", "--signature", "right.sig"]).ok();
    let added = add(&["--signature", "right.sig", "--json"]).ok().json();
    assert_eq!((&added[0]["signer"]["key"], &added[0]["signer"]["form"]), (&"ops.pub".into(), &"files".into()));
    predict(&project, "pump").ok().prints(&["[0.0,2.0,0.0,4.0]"]);
    // What lies beside a file is found, and changed files are told by their name.
    project.run(&["model", "add", "fan", "abs.onnx"]).ok().says(&["fan@1 is signed by ops.pub"]);
    project.write("abs.onnx", onnx::one_operator("", "Neg"));
    project.run(&["model", "add", "fan", "abs.onnx"]).exits(1).says(&["error[TS-0594]", "abs.onnx"]);
    let verified = project.run(&["model", "verify", "pump", "--json"]).ok().json();
    assert_eq!((&verified["key"], &verified["required"]), (&"ops.pub".into(), &true.into()), "{verified:#}");
    project.run(&["model", "verify", "pump@1"]).ok().prints(&["pump@1", "1 file", "signed by ops.pub"]);
}

#[test]
fn a_folder_is_signed_with_all_that_is_in_it() {
    let project = with(STRICT);
    project.write("folder/model.onnx", onnx::one_operator("", "Relu"));
    project.write("folder/notes/README.md", "what it is for");
    project.write("folder/.git/config", "of no model");
    sign(&project, "folder", "ops.key");
    project.run(&["model", "add", "pump", "folder"]).ok().says(&["signed by ops.pub"]);
    let verified = project.run(&["model", "verify", "pump", "--json"]).ok().json();
    assert_eq!(verified["files"], json!(["model.onnx", "notes/README.md"]), "the signature is no part of it");
    // One more file is one that nobody has signed; one less is missed.
    project.write("folder/more.txt", "new");
    project.run(&["model", "add", "pump", "folder"]).exits(1).says(&["TS-0594", "more.txt"]);
    fs::remove_file(project.path("folder/more.txt")).unwrap();
    fs::remove_file(project.path("folder/notes/README.md")).unwrap();
    project.run(&["model", "add", "pump", "folder"]).exits(1).says(&["TS-0594", "README.md"]);
}

#[test]
fn the_policy_holds_at_every_load_of_what_is_registered() {
    let project = with(LAX);
    project.workflow("w", "steps:\n  a: { model: pump, inputs: { x: [-1, 2, -3, 4] } }\n");
    project.run(&["model", "add", "pump", "relu.onnx"]).ok();
    project.run(&["run", "w"]).ok();
    project.run(&["model", "verify", "pump"]).exits(2).says(&["error[TS-0595]", "pump@1 is not signed"]);
    configure(&project, STRICT);
    let refused = |words: &[&str]| {
        predict(&project, "pump").exits(2).says(words);
        project.run(&["model", "inspect", "pump"]).exits(2).says(words);
        project.run(&["run", "w"]).exits(1).says(words);
        project.run(&["check"]).exits(1).says(words);
    };
    refused(&["TS-0595", "pump"]);
    // The same content once more, now with a signature: the version is the one that is there.
    sign(&project, "relu.onnx", "ops.key");
    project
        .run(&["model", "add", "pump", "relu.onnx"])
        .ok()
        .says(&["pump@1 was there already", "pump@1 is signed by ops.pub"]);
    project.run(&["run", "w"]).ok();
    project.run(&["check"]).ok();
    // A key that is not trusted any more.
    let key = project.read("ops.pub");
    fs::copy(project.path("other.pub"), project.path("ops.pub")).unwrap();
    refused(&["TS-0592", "ops.pub"]);
    project.write("ops.pub", &key);
    project.run(&["run", "w"]).ok();
    // A file that is another one, and a manifest that says so.
    let file = format!("{}/relu.onnx", folder(&project));
    let whole = fs::read(project.path(&file)).unwrap();
    let other = onnx::one_operator("", "Tanh");
    put(&project, &file, &other);
    predict(&project, "pump").exits(1).says(&["TS-0557"]);
    project.run(&["run", "w"]).exits(1).says(&["TS-0557"]);
    project.run(&["model", "verify", "pump"]).exits(1).says(&["TS-0557"]);
    // Added again, without its signature, it is mended and keeps the one that it had.
    fs::rename(project.path("relu.onnx.sig"), project.path("away.sig")).unwrap();
    configure(&project, LAX);
    project.run(&["model", "add", "pump", "relu.onnx"]).ok().says(&["pump@1 was there already"]);
    configure(&project, STRICT);
    assert_eq!(fs::read(project.path(&file)).unwrap(), whole);
    project.run(&["run", "w"]).ok();
    // Signatures that are none.
    put(&project, &format!("{}/signatures.json", folder(&project)), b"{\"format\": 9}");
    refused(&["TS-0590"]);
    fs::remove_file(project.path(&format!("{}/signatures.json", folder(&project)))).unwrap();
    refused(&["TS-0595"]);
}

#[test]
fn the_policy_holds_for_files_that_the_project_names() {
    let declared = "[models.pump]\npath = \"relu.onnx\"\n";
    let project = with(&format!("{STRICT}{declared}"));
    project.workflow("name", "steps:\n  a: { model: pump, inputs: { x: [-1, 2, -3, 4] } }\n");
    project.workflow("path", "steps:\n  a: { model: abs.onnx, inputs: { x: [-1, 2, -3, 4] } }\n");
    let runs = |code: i32, words: &[&str]| {
        for workflow in ["name", "path"] {
            project.run(&["run", workflow]).exits(code).says(words);
        }
    };
    runs(1, &["TS-0595", ".onnx.sig"]);
    project.run(&["check"]).exits(1).says(&["TS-0595"]);
    for file in ["relu.onnx", "abs.onnx"] {
        sign(&project, file, "other.key");
    }
    runs(1, &["TS-0592", "(ops.pub)"]);
    for file in ["relu.onnx", "abs.onnx"] {
        sign(&project, file, "ops.key");
    }
    runs(0, &[]);
    project.run(&["check"]).ok();
    predict(&project, "pump").ok();
    project.run(&["model", "verify", "pump"]).ok().prints(&["signed by ops.pub"]);
    for file in ["relu.onnx", "abs.onnx"] {
        project.write(file, onnx::one_operator("", "Neg"));
    }
    runs(1, &["TS-0594", ".onnx"]);
    predict(&project, "pump").exits(1).says(&["TS-0594"]);
    project.run(&["model", "verify", "pump"]).exits(1).says(&["TS-0594"]);
    // A folder's own signature counts for the model in it, and for all of its weights.
    project.write("folder/model.onnx", onnx::one_operator("", "Relu"));
    sign(&project, "folder", "ops.key");
    configure(&project, &format!("{STRICT}[models.pump]\npath = \"folder/model.onnx\"\n"));
    project.run(&["run", "name"]).ok();
}

#[test]
fn without_the_policy_signatures_are_kept_and_told() {
    let project = with("");
    sign(&project, "relu.onnx", "ops.key");
    project.run(&["model", "add", "pump", "relu.onnx"]).ok().says(&["pump@1 is added", "there are none"]);
    project.run(&["model", "verify", "pump"]).exits(2).says(&["error[TS-0592]", "none of the signatures of pump@1"]);
    configure(&project, LAX);
    project.run(&["model", "verify", "pump"]).ok().prints(&["signed by ops.pub"]);
    // But files that are not what was signed are taken nowhere.
    project.write("relu.onnx", onnx::one_operator("", "Neg"));
    project.run(&["model", "add", "pump", "relu.onnx", "--signature", "relu.onnx.sig"]).exits(1).says(&["TS-0594"]);
}

#[test]
fn an_export_that_is_signed_is_believed_where_its_key_is() {
    let here = with("");
    // The kind of key that exports are signed with as a rule.
    let there = project(&format!("{ENGINE}[policy]\nsigned_models = true\nmodel_keys = [\"stick.pub\"]\n"));
    for name in ["stick", "stranger"] {
        here.run(&["plugin", "keygen", name]).ok();
    }
    there.write("stick.pub", here.read("stick.pub"));
    here.run(&["model", "add", "pump", "relu.onnx", "--licence", "MIT"]).ok();
    let export = |file: &str, key: Option<&str>| {
        let file = there.path(file).display().to_string();
        let sign: Vec<&str> = key.iter().flat_map(|key| ["--sign", key]).collect();
        here.run(&[&["model", "export", "pump", &file, "--json"][..], &sign].concat()).ok().json()
    };
    export("plain.tar", None);
    export("stranger.tar", Some("stranger.key"));
    let exported = export("signed.tar", Some("stick.key"));
    assert!(exported["key"].as_str().unwrap().starts_with("sha256:"), "{exported:#}");
    there.run(&["model", "import", "plain.tar"]).exits(2).says(&["error[TS-0595]"]);
    there.run(&["model", "import", "stranger.tar"]).exits(2).says(&["error[TS-0592]", "(stick.pub)"]);
    // Every byte that means something is either held against a digest or signed.
    let good = fs::read(there.path("signed.tar")).unwrap();
    let replaced = |from: &str, to: &str| {
        let at = good.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
        let mut bad = good.clone();
        bad[at..at + to.len()].copy_from_slice(to.as_bytes());
        bad
    };
    for (bad, code, words) in [(replaced("\"MIT\"", "\"BSD\""), 2, "TS-0592"), (replaced("Relu", "Tanh"), 1, "TS-0557")]
    {
        there.write("bad.tar", bad);
        there.run(&["model", "import", "bad.tar"]).exits(code).says(&[words]);
    }
    is_empty(&there);
    there.run(&["model", "import", "signed.tar"]).ok().says(&["pump@1 is added", "pump@1 is signed by stick.pub"]);
    predict(&there, "pump").ok();
    there.run(&["model", "verify", "pump"]).ok().prints(&["the manifest", "signed by stick.pub"]);
    // The signature is of this model alone.
    let known = there.names(".trackside/models");
    here.run(&["model", "add", "pump", "abs.onnx", "--alias", "champion"]).ok();
    export("second.tar", Some("stick.key"));
    there.run(&["model", "import", "second.tar"]).ok().says(&["pump@2 is signed by stick.pub"]);
    let second = there.names(".trackside/models").into_iter().find(|name| !known.contains(name)).unwrap();
    let of = |name: &str| format!(".trackside/models/{name}/signatures.json");
    let (right, wrong) = (fs::read(there.path(&of(&second))).unwrap(), fs::read(there.path(&of(&known[0]))).unwrap());
    put(&there, &of(&second), &wrong);
    predict(&there, "pump@2").exits(2).says(&["TS-0592"]);
    put(&there, &of(&second), &right);
    predict(&there, "pump@2").ok();
    // It goes on with the signatures that it came with.
    let elsewhere = project(&format!("{ENGINE}[policy]\nsigned_models = true\nmodel_keys = [\"stick.pub\"]\n"));
    elsewhere.write("stick.pub", here.read("stick.pub"));
    let file = elsewhere.path("again.tar").display().to_string();
    there.run(&["model", "export", "pump@1", &file]).ok();
    let _node = elsewhere.serve();
    elsewhere.run(&["model", "import", "again.tar"]).ok().says(&["signed by stick.pub"]);
    fs::copy(there.path("plain.tar"), elsewhere.path("plain.tar")).unwrap();
    elsewhere.run(&["model", "import", "plain.tar", "--name", "other"]).exits(2).says(&["error[TS-0595]"]);
}

#[test]
fn a_running_node_refuses_what_is_not_signed_and_takes_what_is() {
    let project = with(STRICT);
    project.workflow("w", "steps:\n  a: { model: pump, inputs: { x: [-1, 2, -3, 4] } }\n");
    project.workflow("second", "steps:\n  a: { model: pump@2, inputs: { x: [-1, 2, -3, 4] } }\n");
    let node = project.serve();
    project.run(&["model", "add", "pump", "relu.onnx"]).exits(2).says(&["error[TS-0595]"]);
    sign(&project, "relu.onnx", "ops.key");
    project.run(&["model", "add", "pump", "relu.onnx"]).ok().says(&["pump@1 is signed by ops.pub"]);
    let ran = || project.wait_end(&node.start_run("w"));
    assert_eq!(ran()["state"], "succeeded");
    // A version that is not signed: here one whose signatures were taken away.
    sign(&project, "abs.onnx", "ops.key");
    let before = folder(&project);
    project.run(&["model", "add", "pump", "abs.onnx"]).ok();
    let names = project.names(".trackside/models");
    let second = names.iter().find(|name| !before.ends_with(*name)).unwrap();
    fs::remove_file(project.path(&format!(".trackside/models/{second}/signatures.json"))).unwrap();
    project.run(&["model", "alias", "pump", "champion", "2"]).ok();
    // The version that answered goes on to, and everybody is told why.
    let view = ran();
    assert_eq!((&view["state"], &view["outputs"]["a"]["model"]), (&"succeeded".into(), &"pump@1".into()), "{view:#}");
    node.wait_said("the model pump@2 is not signed");
    project.run(&["model", "status", "pump"]).ok().prints(&["pump@2 is not loaded"]);
    // Whoever means that very version has none to go back to.
    let view = project.wait_end(&node.start_run("second"));
    let error: &Value = &step(&view, "a")["error"]["message"];
    assert!(error.as_str().unwrap().contains("TS-0595"), "{view:#}");
    project.run(&["model", "rollback", "pump"]).ok();
    assert_eq!(ran()["state"], "succeeded");
}

#[test]
fn many_signatures_that_nobody_trusts_take_no_trusted_one_s_place() {
    let project = with(LAX);
    sign(&project, "relu.onnx", "ops.key");
    project.run(&["model", "add", "pump", "relu.onnx"]).ok().says(&["pump@1 is signed by ops.pub"]);
    for number in 0..9 {
        let (key, signature) = (format!("stranger-{number}"), format!("{number}.sig"));
        project.run(&["plugin", "keygen", &key, "--algorithm", "p256"]).ok();
        project.run(&["model", "sign", "relu.onnx", "--key", &format!("{key}.key"), "--signature", &signature]).ok();
        project.run(&["model", "add", "pump", "relu.onnx", "--signature", &signature]).ok();
    }
    let verified = project.run(&["model", "verify", "pump", "--json"]).ok().json();
    let signatures = verified["signatures"].as_array().unwrap();
    assert_eq!((signatures.len(), &verified["key"]), (8, &"ops.pub".into()), "{verified:#}");
    configure(&project, STRICT);
    predict(&project, "pump").ok();
}

#[test]
fn a_signature_over_files_does_not_vouch_for_what_the_manifest_says_of_them() {
    let project = with(STRICT);
    project.write("two/model.onnx", onnx::one_operator("", "Relu"));
    project.write("two/other.onnx", onnx::one_operator("", "Abs"));
    sign(&project, "two", "ops.key");
    project.run(&["model", "add", "two", "two"]).ok().says(&["two@1 is signed by ops.pub"]);
    let file = project.path("two.tar").display().to_string();
    project.run(&["model", "export", "two", &file]).ok();
    project.run(&["model", "import", &file, "--name", "same"]).ok().says(&["same@1 is signed by ops.pub"]);
    // Another of the signed files is said to be the model.
    let mut archive = fs::read(&file).unwrap();
    let said = b"\"model\": \"model.onnx\"";
    let at = archive.windows(said.len()).position(|bytes| bytes == said).unwrap();
    archive[at..at + said.len()].copy_from_slice(b"\"model\": \"other.onnx\"");
    project.write("changed.tar", archive);
    project
        .run(&["model", "import", "changed.tar", "--name", "changed"])
        .exits(1)
        .says(&["error[TS-0594]", "the manifest says that other.onnx is the model"]);
}

#[test]
fn who_signs_signs_the_files_of_the_model_and_replaces_none_of_them() {
    let project = with(LAX);
    project.write("folder/model.onnx", onnx::one_operator("", "Relu"));
    project.write("folder/labels.txt", "good\nbad\n");
    project
        .run(&["model", "sign", "folder", "--key", "ops.key", "--signature", "folder/labels.txt"])
        .exits(2)
        .says(&["labels.txt", "is no signature"]);
    assert_eq!(project.read("folder/labels.txt"), "good\nbad\n");
    // A second signer signs the same, with the first one's signature beside the files.
    sign(&project, "folder", "other.key");
    project.run(&["model", "sign", "folder", "--key", "ops.key", "--signature", "second.sig"]).ok();
    project.run(&["model", "add", "pump", "folder"]).ok().says(&["pump@1 is added"]);
    let added = project.run(&["model", "add", "pump", "folder", "--signature", "second.sig", "--json"]).ok().json();
    assert_eq!((&added[0]["version"], &added[0]["added"]), (&1.into(), &false.into()), "{added:#}");
    let verified = project.run(&["model", "verify", "pump", "--json"]).ok().json();
    assert_eq!(verified["files"], json!(["labels.txt", "model.onnx"]));
    assert_eq!((verified["signatures"].as_array().unwrap().len(), &verified["key"]), (2, &"ops.pub".into()));
}

#[test]
fn something_else_that_is_called_like_a_signature_hides_none() {
    let project = with(&format!("{STRICT}[models.pump]\npath = \"folder/model.onnx\"\n"));
    project.write("folder/model.onnx", onnx::one_operator("", "Relu"));
    sign(&project, "folder", "ops.key");
    project.write("folder/model.onnx.sig", "of another tool");
    predict(&project, "pump").ok();
    fs::remove_file(project.path("folder/model.sig")).unwrap();
    predict(&project, "pump").exits(2).says(&["TS-0590"]);
}
