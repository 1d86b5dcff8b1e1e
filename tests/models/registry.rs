//! The registry: versions that never change, aliases that move, a past that is told for ever.

use std::fs;

use serde_json::Value;

use crate::{
    MODEL, SAMPLE, onnx, project,
    support::{Node, Project, Ran, project::step},
};

/// A project whose registry is used without a node, or beside one.
struct Box_ {
    project: Project,
    _node: Option<Node>,
}

impl Box_ {
    fn without_node() -> Self {
        Self { project: two_models(), _node: None }
    }

    fn with_node() -> Self {
        let project = two_models();
        let node = project.serve();
        Self { project, _node: Some(node) }
    }

    #[track_caller]
    fn model(&self, arguments: &[&str]) -> Ran {
        self.project.run(&[&["model"], arguments].concat())
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        self.model(&[arguments, &["--json"]].concat()).ok().json()
    }

    /// Version and aliases of each version of a model, newest first.
    #[track_caller]
    fn versions(&self, name: &str) -> Vec<(u64, Vec<String>)> {
        let list = self.json(&["list", name]);
        let versions = list[0]["versions"].as_array().unwrap();
        let aliases = |version: &Value| version["aliases"].as_array().unwrap().iter().map(text).collect();
        versions.iter().map(|version| (version["version"].as_u64().unwrap(), aliases(version))).collect()
    }

    /// The folders of models.
    fn folders(&self) -> Vec<String> {
        self.project.names(".trackside/models")
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn two_models() -> Project {
    let project = project("[engine]\nprefer = \"rten\"\n");
    project.write("relu.onnx", onnx::one_operator("", "Relu"));
    project.write("abs.onnx", onnx::one_operator("", "Abs"));
    project
}

fn aliases(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Adds, moves, goes back, removes: the same with a node and without one.
fn lives(with: &Box_) {
    with.model(&["add", "pump", "relu.onnx", "--licence", "MIT"])
        .ok()
        .says(&["pump@1 is added", "pump@champion is version 1"]);
    with.model(&["add", "pump", "abs.onnx", "--alias", "candidate"])
        .ok()
        .says(&["pump@2 is added", "pump@candidate is version 2"]);
    assert_eq!(with.versions("pump"), [(2, aliases(&["candidate"])), (1, aliases(&["champion"]))]);
    // The same content is the same version; what is said about it is a part of it.
    with.model(&["add", "pump", "abs.onnx"]).ok().says(&["pump@2 was there already"]);
    let again = with.json(&["add", "pump", "abs.onnx", "--alias", "b"]);
    assert_eq!(
        (&again[0]["added"], &again[0]["version"], &again[0]["moved"][0]["to"]),
        (&false.into(), &2.into(), &2.into())
    );
    with.model(&["add", "pump", "abs.onnx", "--licence", "BSD-3-Clause"]).ok().says(&["pump@3 is added"]);
    // Another name shares the folder.
    with.model(&["add", "fan", "abs.onnx"]).ok().says(&["fan@1 is added"]);
    assert_eq!(with.folders().len(), 3);
    with.model(&["alias", "pump", "champion", "3"]).ok().says(&["champion is version 3 now; it was version 1"]);
    with.model(&["alias", "pump", "champion", "3"]).ok().says(&["named version 3 already"]);
    with.model(&["rollback", "pump"]).ok().says(&["champion is version 1 now; it was version 3"]);
    with.model(&["rollback", "pump", "--alias", "candidate"])
        .exits(2)
        .says(&["error[TS-0560]", "named nothing before"]);
    with.model(&["remove", "pump@2"]).exits(2).says(&["error[TS-0553]", "`b`, `candidate`"]);
    with.model(&["alias", "pump", "candidate", "--delete"]).ok().says(&["candidate is removed; it was version 2"]);
    with.model(&["alias", "pump", "b", "--delete"]).ok();
    with.model(&["remove", "pump@2"]).ok().says(&["pump@2 is removed"]);
    assert_eq!(with.folders().len(), 3, "the other name still needs it");
    with.model(&["remove", "pump@3"]).ok();
    assert_eq!(with.folders().len(), 2);
    // A number is never given again, and nothing is rolled back to what is gone.
    with.model(&["rollback", "pump"]).exits(2).says(&["error[TS-0560]", "version 3 before, which has been removed"]);
    with.model(&["add", "pump", "abs.onnx", "--licence", "BSD-3-Clause"]).ok().says(&["pump@4 is added"]);
    with.model(&["remove", "pump@3"]).exits(2).says(&["error[TS-0552]", "it was removed", "the newest is 4"]);
    with.model(&["inspect", "pump@4"]).ok().prints(&["pump@4", "BSD-3-Clause", "runs it"]);
    with.model(&["predict", "pump@champion", "--input", "x=[-1, 2, -3, 4]"]).ok().prints(&["[0.0,2.0,0.0,4.0]"]);
    with.model(&["predict", "pump@4", "--input", "x=[-1, 2, -3, 4]"]).ok().prints(&["[1.0,2.0,3.0,4.0]"]);
}

#[test]
fn versions_and_aliases_without_a_node() {
    lives(&Box_::without_node());
}

#[test]
fn versions_and_aliases_through_a_node() {
    lives(&Box_::with_node());
}

#[test]
fn the_past_says_which_version_answered_when_and_who_saw_to_it() {
    let with = Box_::without_node();
    with.model(&["add", "pump", "relu.onnx"]).ok();
    with.model(&["add", "pump", "abs.onnx"]).ok();
    with.model(&["alias", "pump", "champion", "2"]).ok();
    with.model(&["alias", "pump", "champion", "--delete"]).ok();
    with.model(&["remove", "pump@2"]).ok();
    with.model(&["remove", "pump@1"]).ok();
    // Nothing is left, and the past still is.
    assert!(with.folders().is_empty());
    assert_eq!(with.json(&["list"]).as_array().unwrap().len(), 0);
    let history = with.json(&["history", "pump"]);
    let history = history.as_array().unwrap();
    let events: Vec<&str> = history.iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    let expected = [
        "model-removed",
        "model-removed",
        "model-alias-moved",
        "model-alias-moved",
        "model-tested",
        "model-added",
        "model-alias-moved",
        "model-tested",
        "model-added",
    ];
    assert_eq!(events, expected);
    assert!(history.iter().all(|entry| entry["by"] == "the command line"));
    let at = |entry: &Value| with.json(&["history", "pump", "--at", entry["at"].as_str().unwrap()]);
    // Right after the second version had come, and right after it became the champion.
    let then = at(&history[5]);
    assert_eq!((&then["versions"], &then["aliases"]["champion"]["version"]), (&serde_json::json!([1, 2]), &1.into()));
    let then = at(&history[3]);
    assert_eq!(
        (&then["aliases"]["champion"]["version"], &then["aliases"]["champion"]["since"]),
        (&2.into(), &history[3]["at"])
    );
    assert_eq!(at(&history[0])["versions"], serde_json::json!([]));
    let before = with.json(&["history", "pump", "--at", "2001-01-01"]);
    assert_eq!((&before["versions"], &before["aliases"]), (&serde_json::json!([]), &serde_json::json!({})));
    with.model(&["history", "pump"])
        .ok()
        .prints(&["champion moved from version 1 to version 2", "version 2 tested on rten"]);
    with.model(&["history", "pmp"]).exits(2).says(&["error[TS-0551]"]);
    with.model(&["history", "pump", "--at", "yesterday"]).exits(2);
}

#[test]
fn golden_vectors_are_computed_anew_when_a_model_is_added() {
    let with = Box_::without_node();
    with.model(&["add", "pump", MODEL, "--golden", SAMPLE]).ok().says(&["gives its golden vectors on rten"]);
    let told = with.json(&["inspect", "pump"]);
    assert_eq!(told["registered"]["manifest"]["golden"], "golden.safetensors");
    assert!(told["engines"].as_array().unwrap().iter().any(|engine| engine["selftest"] == "sample"));
    let mut wrong = fs::read(with.project.path(SAMPLE)).unwrap();
    let place = wrong.len() - 1;
    wrong[place] ^= 0x02;
    with.project.write("wrong.safetensors", wrong);
    with.model(&["add", "pump", MODEL, "--engine", "rten", "--golden", "wrong.safetensors"])
        .exits(3)
        .says(&["error[TS-0508]", "score"]);
    with.model(&["add", "pump", MODEL, "--golden", "relu.onnx"]).exits(3).says(&["error[TS-0509]"]);
    assert_eq!((with.versions("pump").len(), with.folders().len()), (1, 1), "what is refused leaves nothing");
}

#[test]
fn a_model_travels_in_one_file_and_keeps_its_digest() {
    let (here, there) = (Box_::without_node(), Box_::with_node());
    fs::create_dir(here.project.path("folder")).unwrap();
    fs::copy(here.project.path(MODEL), here.project.path("folder/model.onnx")).unwrap();
    fs::copy(here.project.path(SAMPLE), here.project.path("folder/golden.safetensors")).unwrap();
    here.project.write("folder/notes/README.md", "what it is for");
    here.project.write("folder/.git/config", "of no model");
    here.model(&["add", "pump", "folder", "--origin", "the plant", "--description", "anomalies"])
        .ok()
        .says(&["Left out, because their names begin with a dot: .git", "gives its golden vectors"]);
    let file = here.project.path("pump.tar").display().to_string();
    here.model(&["export", "pump@champion", &file]).ok().says(&["pump@1 is written to"]);
    let first = fs::read(&file).unwrap();
    here.model(&["export", "pump", &file]).ok();
    assert_eq!(fs::read(&file).unwrap(), first, "the same version is the same file");
    there.model(&["import", &file]).ok().says(&["pump@1 is added", "gives its golden vectors"]);
    there.model(&["import", &file]).ok().says(&["pump@1 was there already"]);
    there
        .model(&["import", &file, "--name", "other", "--alias", "b"])
        .ok()
        .says(&["other@1 is added", "other@b is version 1"]);
    let digest = |at: &Box_, name: &str| at.json(&["list", name])[0]["versions"][0]["digest"].clone();
    assert_eq!(digest(&here, "pump"), digest(&there, "pump"));
    assert_eq!(there.folders(), here.folders(), "two names share a folder");
    let manifest = &there.json(&["inspect", "other"])["registered"]["manifest"];
    assert_eq!((&manifest["origin"], &manifest["description"]), (&"the plant".into(), &"anomalies".into()));
    assert_eq!(manifest["files"].as_array().unwrap().len(), 3);
    assert_eq!(there.json(&["diff", "pump@1", "other@1"])["changes"], serde_json::json!([]));
}

#[test]
fn two_versions_are_compared() {
    let with = Box_::without_node();
    with.model(&["add", "pump", "relu.onnx", "--licence", "MIT"]).ok();
    with.model(&["add", "pump", MODEL, "--golden", SAMPLE]).ok();
    let diff = with.json(&["diff", "pump@1", "pump@2"]);
    assert_eq!((&diff["before"], &diff["after"]), (&"pump@1".into(), &"pump@2".into()));
    let changes = diff["changes"].as_array().unwrap();
    let what: Vec<&str> = changes.iter().map(|change| change["what"].as_str().unwrap()).collect();
    for expected in ["file pump-anomaly.onnx", "file relu.onnx", "input x", "licence", "golden vectors", "output score"]
    {
        assert!(what.contains(&expected), "{what:?}");
    }
    with.model(&["diff", "pump@1", "pump@2"]).ok().prints(&["float32[4]", "MIT"]);
    with.model(&["diff", "pump@1", "pump@1"]).ok().says(&["are the same"]);
    with.model(&["diff", "pump@1", "pump@7"]).exits(2).says(&["error[TS-0552]"]);
}

#[test]
fn tritons_layout_gives_a_version_for_each() {
    let with = Box_::without_node();
    let write = |path: &str, content: Vec<u8>| with.project.write(path, content);
    write("repository/iris/1/model.onnx", onnx::one_operator("", "Relu"));
    write("repository/iris/3/model.onnx", onnx::one_operator("", "Abs"));
    write("repository/iris/labels.txt", b"a\nb\n".to_vec());
    let config = "name: \"iris\"\nplatform: \"onnxruntime_onnx\"\nmax_batch_size: 8\noutput [ { name: \"y\" label_filename: \"labels.txt\" } ]\n";
    write("repository/iris/config.pbtxt", config.into());
    write("repository/fan/1/model.onnx", onnx::one_operator("", "Neg"));
    write("repository/README", b"no model".to_vec());
    with.model(&["import", "repository"]).ok().says(&[
        "iris@1 is added",
        "iris@2 is added",
        "fan@1 is added",
        "Version 3 of",
    ]);
    assert_eq!(with.versions("iris"), [(2, aliases(&["champion"])), (1, vec![])], "the newest answers, as with Triton");
    let manifest = with.json(&["inspect", "iris"])["registered"]["manifest"].clone();
    assert_eq!((&manifest["max_batch"], &manifest["labels"]["y"]), (&8.into(), &"labels.txt".into()));
    with.model(&["add", "other", "repository/iris"]).ok().says(&["other@1 is added", "other@2 is added"]);
    with.model(&["add", "iris", "repository"]).ok().says(&["iris@1 was there already", "iris@2 was there already"]);
    with.model(&["import", "repository", "--name", "none"]).exits(2);
    // Numbers for names of folders do not make a repository of what has its model beside them.
    write("plain/model.onnx", onnx::one_operator("", "Relu"));
    write("plain/7/notes.txt", b"x".to_vec());
    with.model(&["add", "plain", "plain"]).ok().says(&["plain@1 is added"]);
    write("repository/iris/config.pbtxt", b"platform: \"tensorrt_plan\"".to_vec());
    with.model(&["add", "third", "repository/iris"]).exits(1).says(&[
        "error[TS-0561]",
        "config.pbtxt, line 1",
        "onnxruntime",
    ]);
}

#[test]
fn what_was_damaged_is_told_and_mended_by_the_same_content() {
    let with = Box_::without_node();
    with.model(&["add", "pump", "relu.onnx"]).ok();
    let folder = format!(".trackside/models/{}", with.folders()[0]);
    let (file, manifest) =
        (with.project.path(&format!("{folder}/relu.onnx")), with.project.path(&format!("{folder}/manifest.json")));
    let whole = fs::read(&file).unwrap();
    let mut other = whole.clone();
    other[20] ^= 1;
    let put = |path: &std::path::Path, bytes: &[u8]| {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    // A byte is not what it was: the file is as long as before, and what goes out is looked at.
    put(&file, &other);
    with.model(&["export", "pump", "x.tar"]).exits(1).says(&["error[TS-0557]", "relu.onnx has another content"]);
    assert!(!with.project.path("x.tar").exists());
    // Cut off, and then mended.
    put(&file, &whole[..10]);
    with.model(&["export", "pump", "x.tar"]).exits(1).says(&["error[TS-0557]", "10 bytes instead of"]);
    with.model(&["add", "pump", "relu.onnx"]).ok().says(&["pump@1 was there already"]);
    with.model(&["export", "pump", "x.tar"]).ok();
    // A manifest that is another is none.
    put(&manifest, b"{}");
    for arguments in
        [&["inspect", "pump"][..], &["predict", "pump", "--input", "x=[1, 2, 3, 4]"], &["export", "pump", "x.tar"]]
    {
        with.model(arguments).exits(1).says(&["error[TS-0557]", "another digest"]);
    }
    with.model(&["list"]).ok().prints(&["pump"]);
    with.model(&["import", "x.tar"]).ok().says(&["pump@2 is added"]);
    with.model(&["inspect", "pump@1"]).ok();
}

#[test]
fn a_workflow_names_a_model_of_the_registry_and_follows_its_champion() {
    let with = Box_::without_node();
    with.model(&["add", "pump", "relu.onnx"]).ok();
    with.model(&["add", "pump", "abs.onnx"]).ok();
    with.project.workflow("w", "steps:\n  a: { model: pump, inputs: { x: [-1, 2, -3, 4] } }\n");
    with.project.run(&["check"]).ok();
    let node = with.project.serve();
    let y = || {
        let run = node.start_run("w");
        let view = with.project.wait_end(&run);
        assert_eq!(view["state"], "succeeded", "{view:#}");
        let output = &view["outputs"]["a"];
        (output["outputs"]["y"].clone(), output["model"].clone())
    };
    let (relu, abs) = (serde_json::json!([0.0, 2.0, 0.0, 4.0]), serde_json::json!([1.0, 2.0, 3.0, 4.0]));
    assert_eq!(y(), (relu.clone(), "pump@1".into()));
    with.model(&["alias", "pump", "champion", "2"]).ok();
    assert_eq!(y(), (abs, "pump@2".into()), "without a restart");
    with.model(&["rollback", "pump"]).ok();
    assert_eq!(y().0, relu);
    with.model(&["alias", "pump", "champion", "--delete"]).ok();
    let run = node.start_run("w");
    let view = with.project.wait_end(&run);
    let error = step(&view, "a")["error"]["message"].as_str().unwrap().to_owned();
    assert!(error.contains("TS-0552") && error.contains("no alias `champion`"), "{error}");
}

#[test]
fn a_name_that_is_nearly_right_is_told_everywhere() {
    let with = Box_::without_node();
    with.model(&["add", "pump", "relu.onnx", "--alias", "candidate"]).ok();
    for (arguments, model, alias) in [
        (&["inspect", "REF"][..], true, true),
        (&["predict", "REF", "--input", "x=[1, 2, 3, 4]"], true, true),
        (&["export", "REF", "y.tar"], true, true),
        (&["diff", "REF", "pump"], true, true),
        (&["remove", "REF@1"], true, false),
        (&["alias", "REF", "champion", "1"], true, false),
        (&["rollback", "REF"], true, false),
        (&["history", "REF"], true, false),
        (&["list", "REF"], true, false),
    ] {
        let ask = |reference: &str| {
            let arguments: Vec<String> = arguments.iter().map(|one| one.replace("REF", reference)).collect();
            with.model(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).exits(2)
        };
        if model {
            ask("pmup").says(&["error[TS-0551]", "no model `pmup`", "did you mean `pump`?"]);
        }
        if alias {
            ask("pump@candidat").says(&["error[TS-0552]", "no alias `candidat`", "did you mean `pump@candidate`?"]);
            ask("pump@7").says(&["error[TS-0552]", "no version 7", "the newest is 1"]);
        }
    }
    with.model(&["alias", "pump", "champoin", "--delete"]).exits(2).says(&["did you mean `pump@champion`?"]);
    with.model(&["rollback", "pump", "--alias", "champoin"]).exits(2).says(&["did you mean `pump@champion`?"]);
    for (reference, parts) in [
        ("pmup", &["TS-0611", "no model `pmup` (did you mean `pump`?)"][..]),
        ("pmup@candidate", &["TS-0611", "did you mean `pump`?"]),
        ("pump@candidat", &["TS-0552", "did you mean `candidate`?"]),
        ("pump@7", &["TS-0552", "no version 7", "it has 1"]),
    ] {
        with.project
            .workflow("w", &format!("steps:\n  a: {{ model: {reference:?}, inputs: {{ x: [1, 2, 3, 4] }} }}\n"));
        with.project.run(&["check"]).exits(1).says(parts);
    }
    // What is named is not removed, and both aliases are told.
    with.model(&["remove", "pump@1"]).exits(2).says(&["error[TS-0553]", "`candidate`, `champion`", "model alias pump"]);
}

#[test]
fn an_operator_that_the_built_in_engine_lacks_is_named_when_a_model_is_added() {
    let with = Box_::without_node();
    with.project.write("ml.onnx", onnx::in_sequence());
    with.project.write("trackside.toml", "[engine]\nonnxruntime = \"lib/none.so\"\n");
    let ran = with.model(&["add", "ml", "ml.onnx", "--engine", "rten"]).exits(3);
    ran.says(&["error[TS-0506]", "SequenceConstruct", "SequenceAt", "trackside engine install"]);
    with.model(&["add", "ml", "ml.onnx"]).exits(3).says(&["SequenceConstruct", "trackside engine install"]);
    assert_eq!(with.folders(), [""; 0]);
}

#[test]
fn wrong_names_say_what_is_right() {
    let with = Box_::without_node();
    for (arguments, parts) in [
        (&["add", "a/b", "relu.onnx"][..], &["TS-0550", "letters, digits"][..]),
        (&["add", "x", "relu.onnx", "--alias", "1a"], &["TS-0550", "lower-case letter"]),
        (&["add", "x", "nothing.onnx"], &["TS-0562", "nothing.onnx"]),
        (&["add", "x", "trackside.toml"], &["TS-0555", "neither an .onnx file nor a folder"]),
        (&["add", "x", "models/.."], &["TS-0555", "several models"]),
        (&["remove", "x"], &["TS-0550", "x@3"]),
        (&["remove", "x@champion"], &["TS-0550", "x@3"]),
        (&["alias", "x", "champion", "1"], &["TS-0551"]),
        (&["rollback", "x"], &["TS-0551"]),
        (&["export", "x", "y.tar"], &["TS-0551"]),
        (&["import", "relu.onnx"], &["TS-0555", "archive"]),
    ] {
        let ran = with.model(arguments);
        assert!(ran.code() == 2 || ran.code() == 3, "{ran}");
        ran.says(parts);
    }
    with.model(&["alias", "x", "champion", "0"]).exits(2);
    with.model(&["alias", "x", "champion"]).exits(2);
    with.model(&["list"]).ok().says(&["The registry has no model"]);
    // A disk that is as good as full.
    with.project.write("trackside.toml", "[node]\nmin_free = \"8000000GiB\"\n");
    with.model(&["add", "x", "relu.onnx"]).exits(3).says(&["error[TS-0564]", "min_free"]);
    assert_eq!(with.folders(), [""; 0]);
    // One name, one meaning.
    with.project.write("trackside.toml", "[models.mine]\npath = \"relu.onnx\"\n");
    with.model(&["add", "mine", "abs.onnx"]).exits(2).says(&["error[TS-0554]", "[models.mine]"]);
}
