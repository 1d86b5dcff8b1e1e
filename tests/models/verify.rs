//! Whether the files of registered models are still what they were, as `artifact verify` tells it.

use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

use crate::{MODEL, SAMPLE, onnx, project, support::Project};

/// `pump@1` with golden vectors, `fan@1` and, of the same content, `other@1`.
fn three() -> Project {
    let project = project("[engine]\nprefer = \"rten\"\n");
    project.write("relu.onnx", onnx::one_operator("", "Relu"));
    project.run(&["model", "add", "pump", MODEL, "--golden", SAMPLE]).ok();
    for name in ["fan", "other"] {
        project.run(&["model", "add", name, "relu.onnx"]).ok();
    }
    project
}

/// The folder of a version, from the project on.
fn folder(project: &Project, name: &str) -> String {
    let list = project.run(&["--json", "model", "list", name]).ok().json();
    let digest = list[0]["versions"][0]["digest"].as_str().unwrap().replace(':', "-");
    format!(".trackside/models/{digest}")
}

/// What `artifact verify --json` finds: models, place and reason of each problem.
fn problems(project: &Project) -> Vec<(String, String, String)> {
    let told = project.run(&["artifact", "verify", "--json"]).exits(1).json();
    let problems = told["problems"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    problems
        .map(|problem| {
            let models: Vec<String> = problem["models"].as_array().unwrap().iter().map(text).collect();
            (models.join(" "), text(&problem["place"]), text(&problem["reason"]))
        })
        .collect()
}

#[test]
fn every_file_of_every_version_is_compared_and_what_mends_it_is_told() {
    let project = three();
    let whole = project.run(&["artifact", "verify", "--json"]).ok().json();
    assert_eq!(
        (&whole["models"], &whole["problems"]),
        (&2.into(), &serde_json::json!([])),
        "two folders of three versions"
    );
    assert!(whole["model_bytes"].as_u64().unwrap() > 2_000);
    project.run(&["artifact", "verify"]).ok().says(&["2 versions of models", "0 problems"]);
    let (pump, fan) = (folder(&project, "pump"), folder(&project, "fan"));
    let change = |file: &str, change: &dyn Fn(Vec<u8>) -> Option<Vec<u8>>| {
        let path = project.path(file);
        let before = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        if let Some(after) = change(before.clone()) {
            fs::write(&path, after).unwrap();
        }
        before
    };
    let other = |mut bytes: Vec<u8>| {
        let place = bytes.len() / 2;
        bytes[place] ^= 1;
        Some(bytes)
    };
    let short = |bytes: Vec<u8>| Some(bytes[..10].to_vec());
    for (file, damage, models, word) in [
        (
            format!("{pump}/pump-anomaly.onnx"),
            &other as &dyn Fn(Vec<u8>) -> Option<Vec<u8>>,
            "pump@1",
            "another content",
        ),
        (format!("{pump}/golden.safetensors"), &short, "pump@1", "10 bytes instead of"),
        (format!("{fan}/relu.onnx"), &|_| None, "fan@1 other@1", "missing"),
        (format!("{pump}/manifest.json"), &other, "pump@1", "another digest"),
        (format!("{fan}/manifest.json"), &|_| None, "fan@1 other@1", "missing"),
    ] {
        let before = change(&file, damage);
        let found = problems(&project);
        let [(of, place, reason)] = &found[..] else { panic!("{file}: {found:?}") };
        assert_eq!((of.as_str(), format!(".trackside/{place}")), (models, file.clone()), "{reason}");
        assert!(reason.contains(word) && reason.contains("add or import the same content again"), "{reason}");
        let ran = project.run(&["artifact", "verify"]).exits(1);
        ran.prints(&[&models.replace(' ', ", "), place, word]).says(&["1 problem"]);
        change_back(&project, &file, &before);
    }
    project.run(&["artifact", "verify"]).ok().says(&["0 problems"]);
    // Two at one time are both told; what the text says mends them.
    change(&format!("{fan}/relu.onnx"), &other);
    change(&format!("{pump}/pump-anomaly.onnx"), &|_| None);
    assert_eq!(problems(&project).len(), 2);
    project.run(&["model", "add", "fan", "relu.onnx"]).ok();
    project.run(&["model", "add", "pump", MODEL, "--golden", SAMPLE]).ok();
    project.run(&["artifact", "verify"]).ok().says(&["0 problems"]);
}

#[test]
fn signatures_are_read_and_judged_and_what_nobody_names_is_told() {
    let project = three();
    project.run(&["plugin", "keygen", "ops", "--algorithm", "p256"]).ok();
    let fan = folder(&project, "fan");
    let only = |parts: &[&str]| {
        let found = problems(&project);
        let [(of, place, reason)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(of, "fan@1 other@1");
        let told = format!(".trackside/{place} {reason}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
    };
    // Whatever the policy wants, what is no signature is none.
    let signatures = format!("{fan}/signatures.json");
    project.write(&signatures, "{\"format\": 1, ");
    only(&[&signatures, "signatures.json: "]);
    fs::remove_file(project.path(&signatures)).unwrap();
    for (name, what) in [("extra.onnx", "a file"), ("link.onnx", "a link")] {
        let path = project.path(&format!("{fan}/{name}"));
        match what {
            "a link" => std::os::unix::fs::symlink("relu.onnx", &path).unwrap(),
            _ => fs::write(&path, "x").unwrap(),
        }
        only(&[&format!("{fan}/{name}"), what, "does not name it"]);
        fs::remove_file(path).unwrap();
    }
    project.run(&["artifact", "verify"]).ok().says(&["0 problems"]);
    // Where each must be signed, those that are not can not be loaded.
    let config = project.read("trackside.toml");
    project.write("trackside.toml", format!("{config}[policy]\nsigned_models = true\nmodel_keys = [\"ops.pub\"]\n"));
    let found = problems(&project);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found.iter().all(|(_, place, reason)| place.ends_with("/signatures.json") && reason.contains("not signed"))
    );
    project.run(&["model", "sign", "relu.onnx", "--key", "ops.key"]).ok();
    project.run(&["model", "add", "fan", "relu.onnx"]).ok();
    let found = problems(&project);
    assert!(matches!(&found[..], [(models, ..)] if models == "pump@1"), "{found:?}");
}

fn change_back(project: &Project, file: &str, before: &[u8]) {
    let path = project.path(file);
    if path.exists() {
        fs::remove_file(&path).unwrap();
    }
    fs::write(&path, before).unwrap();
}

#[test]
fn a_folder_that_is_gone_and_one_that_nobody_names_are_told() {
    let project = three();
    let fan = folder(&project, "fan");
    let aside = project.path("aside");
    fs::rename(project.path(&fan), &aside).unwrap();
    let found = problems(&project);
    let [(models, place, reason)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((models.as_str(), format!(".trackside/{place}")), ("fan@1 other@1", fan.clone()));
    assert!(reason.contains("the folder is missing") && reason.contains("model remove fan@1"), "{reason}");
    fs::rename(&aside, project.path(&fan)).unwrap();
    project.run(&["artifact", "verify"]).ok();
    // One without a row: a version that is being added has that for a moment, so one of a moment ago is not told.
    let nobody = format!(".trackside/models/sha256-{}", "5".repeat(64));
    fs::create_dir(project.path(&nobody)).unwrap();
    project.run(&["artifact", "verify"]).ok();
    let long_ago = SystemTime::now() - Duration::from_secs(3_600);
    File::open(project.path(&nobody)).unwrap().set_modified(long_ago).unwrap();
    let found = problems(&project);
    let [(models, place, reason)] = &found[..] else { panic!("{found:?}") };
    assert_eq!((models.as_str(), format!(".trackside/{place}")), ("", nobody));
    assert!(reason.contains("no version of a model names it"), "{reason}");
    // A node leaves one that is older than its database: it may be that of a database that was lost. What it does beside is told the same.
    let _node = project.serve();
    assert_eq!(problems(&project), found);
    fs::remove_dir(project.path(&format!(".trackside/{place}"))).unwrap();
    project.run(&["artifact", "verify"]).ok().says(&["2 versions of models", "0 problems"]);
}
