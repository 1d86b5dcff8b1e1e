//! The Python package `model-signing`, which the standard's authors maintain, believes what is signed here, and the other way round.

use std::{env, path::PathBuf, process::Command};

use crate::{
    onnx, project,
    support::{Project, optional::not_run},
};

const CURVES: [&str; 3] = ["p256", "p384", "p521"];

/// Signs in parts of 16 bytes, which its command does not offer.
const IN_PARTS: &str = "
import sys, pathlib
import model_signing
model, signature, key = map(pathlib.Path, sys.argv[1:])
hashing = model_signing.hashing.Config().use_shard_serialization(shard_size=16)
model_signing.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(hashing).sign(model, signature)
";

/// A Python with the package: `TRACKSIDE_TEST_CLIENTS`, or python3 if it has it.
fn python(what: &str) -> Option<PathBuf> {
    let named = env::var_os("TRACKSIDE_TEST_CLIENTS").filter(|path| !path.is_empty()).map(PathBuf::from);
    let python = named.unwrap_or_else(|| "python3".into());
    let told = Command::new(&python).args(["-c", "import model_signing"]).output();
    if told.is_ok_and(|told| told.status.success()) {
        return Some(python);
    }
    let why = "no package model-signing: install tests/serving/requirements.txt, and set TRACKSIDE_TEST_CLIENTS to that Python";
    not_run("model-signing", what, why);
    None
}

struct Theirs<'p>(PathBuf, &'p Project);

impl Theirs<'_> {
    /// Whether it went well, and what it said.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let told = Command::new(&self.0).args(arguments).current_dir(self.1.root()).output().unwrap();
        let said = [told.stdout, told.stderr].concat();
        (told.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    #[track_caller]
    fn signs(&self, path: &str, signature: &str, key: &str) {
        let command = ["-m", "model_signing", "sign", "key", path, "--signature", signature, "--private_key", key];
        let (went_well, said) = self.run(&command);
        assert!(went_well, "{said}");
    }

    fn verifies(&self, path: &str, signature: &str, key: &str) -> (bool, String) {
        self.run(&["-m", "model_signing", "verify", "key", path, "--signature", signature, "--public_key", key])
    }
}

/// A project that wants signatures by any of the keys `p256`, `p384` and `p521`, with a folder that holds a model and a file.
fn strict() -> Project {
    let keys = CURVES.map(|curve| format!("\"keys/{curve}.pub\"")).join(", ");
    let policy = format!("[policy]\nsigned_models = true\nmodel_keys = [{keys}]\n");
    let project = project(&format!("[engine]\nprefer = \"rten\"\n{policy}"));
    project.write("keys/.keep", "");
    for curve in CURVES {
        project.run(&["plugin", "keygen", &format!("keys/{curve}"), "--algorithm", curve]).ok();
    }
    project.write("m/model.onnx", onnx::one_operator("", "Relu"));
    project.write("m/notes/README.md", "what it is for");
    project.write("alone.onnx", onnx::one_operator("", "Abs"));
    project
}

#[test]
fn what_is_signed_here_is_believed_there() {
    let Some(python) = python("signatures of models, checked by model-signing") else { return };
    let project = strict();
    let theirs = Theirs(python, &project);
    for curve in CURVES {
        let (private, public) = (format!("keys/{curve}.key"), format!("keys/{curve}.pub"));
        project.run(&["model", "sign", "m", "--key", &private]).ok().prints(&["m/model.sig"]);
        project.run(&["model", "sign", "alone.onnx", "--key", &private]).ok().prints(&["alone.onnx.sig"]);
        let (went_well, said) = theirs.verifies("m", "m/model.sig", &public);
        assert!(went_well, "{curve}: {said}");
        let other = if curve == "p256" { "keys/p384.pub" } else { "keys/p256.pub" };
        assert!(!theirs.verifies("m", "m/model.sig", other).0, "{curve}: another key");
        // The standard wants a single file to be called by its name; version 1.1.1 calls it `.`, and finds nothing else wrong.
        let (went_well, said) = theirs.verifies("alone.onnx", "alone.onnx.sig", &public);
        assert!(went_well || said.contains("Extra files found in model 'alone.onnx': ."), "{curve}: {said}");
        project.write("m/notes/README.md", "something else");
        let (went_well, said) = theirs.verifies("m", "m/model.sig", &public);
        assert!(!went_well && said.contains("README.md"), "{curve}: {said}");
        project.write("m/notes/README.md", "what it is for");
    }
}

#[test]
fn what_is_signed_there_is_believed_here() {
    let Some(python) = python("signatures of models, made by model-signing") else { return };
    let project = strict();
    let theirs = Theirs(python, &project);
    let add = |name: &str, path: &str| project.run(&["model", "add", name, path]);
    for curve in CURVES {
        let private = format!("keys/{curve}.key");
        let signed = format!("signed by keys/{curve}.pub");
        // Another model each time: a signature that is kept with the same one would count, too.
        project.write("m/notes/README.md", curve);
        theirs.signs("m", "m/model.sig", &private);
        add(curve, "m").ok().says(&[&signed]);
        project.run(&["model", "verify", curve]).ok().prints(&[&signed]);
        project.write("m/notes/README.md", "something else");
        project
            .run(&["model", "add", curve, "m", "--signature", "m/model.sig"])
            .exits(1)
            .says(&["TS-0594", "README.md"]);
    }
    // What is no part of the model for who signed it is none here, and that is told.
    project.write("m/draft.txt", "not yet");
    let left_out =
        ["-m", "model_signing", "sign", "key", "m", "--signature", "m/model.sig", "--private_key", "keys/p256.key"];
    let (went_well, said) = theirs.run(&[&left_out[..], &["--ignore-paths", "m/draft.txt"]].concat());
    assert!(went_well, "{said}");
    add("less", "m").ok().says(&["left it out: draft.txt", "signed by keys/p256.pub"]);
    let verified = project.run(&["model", "verify", "less", "--json"]).ok().json();
    assert_eq!(verified["files"], serde_json::json!(["model.onnx", "notes/README.md"]));
    std::fs::remove_file(project.path("m/draft.txt")).unwrap();
    theirs.signs("alone.onnx", "alone.onnx.sig", "keys/p256.key");
    add("alone", "alone.onnx").ok().says(&["signed by keys/p256.pub"]);
    project.run(&["model", "verify", "alone.onnx"]).ok().prints(&["signed by keys/p256.pub"]);
    std::fs::remove_file(project.path("m/model.sig")).unwrap();
    let (went_well, said) = theirs.run(&["-c", IN_PARTS, "m", "m/model.sig", "keys/p256.key"]);
    assert!(went_well, "{said}");
    add("parts", "m").ok().says(&["signed by keys/p256.pub"]);
    project.run(&["model", "predict", "parts", "--input", "x=[-1, 2, -3, 4]"]).ok();
}
