//! examples/file-intake

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::{
    Engine,
    support::{Project, project::step, repository, wait_until},
};

/// One line of `tools/expected.tsv`, which the Python package has made.
struct Expected {
    label: String,
    score: f64,
    verdict: String,
    reason: String,
    /// Whether the model was asked; tiny files are decided without.
    by_model: bool,
}

fn expected() -> BTreeMap<String, Expected> {
    let text = fs::read_to_string(repository::example("file-intake").join("tools/expected.tsv")).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    let place = |name: &str| columns.iter().position(|column| *column == name).unwrap();
    let [name, label, score, verdict, reason, model] =
        ["name", "label", "score", "verdict", "reason", "model_label"].map(place);
    lines
        .map(|line| {
            let text = |place: usize| line[place].to_owned();
            let expected = Expected {
                label: text(label),
                score: line[score].parse().unwrap(),
                verdict: text(verdict),
                reason: text(reason),
                by_model: line[model] != "-",
            };
            (text(name), expected)
        })
        .collect()
}

/// Drops all samples into the inbox of a running node and compares every verdict with what the Python package says.
fn samples_are_judged_as_expected(engine: &Engine) {
    let (project, expected) = (Project::example("file-intake", &engine.config), expected());
    project.run(&["check"]).ok().prints(&["file-intake", "magika"]);
    let _node = project.serve();
    for entry in fs::read_dir(project.path("samples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        project.drop_file(&format!("inbox/{name}"), fs::read(&path).unwrap());
    }
    for run in project.wait_runs(expected.len()) {
        let view = project.wait_end(run["run"].as_str().unwrap());
        assert_eq!(view["state"], "succeeded", "{view:#}");
        let name = view["trigger"]["file"]["name"].as_str().unwrap();
        let expected = expected.get(name).unwrap_or_else(|| panic!("{name} is not in expected.tsv"));
        if expected.by_model {
            engine.did(&step(&view, "identify")["report"]);
        }
        // Exactly one of the two verdicts runs.
        let verdicts = ["verdict", "verdict_without_model"].map(|id| view["outputs"].get(id).is_some());
        assert_eq!(verdicts, [expected.by_model, !expected.by_model], "{name}");
    }
    for (name, expected) in &expected {
        let folder = &expected.verdict;
        let report = format!("{folder}/{name}.verdict.json");
        wait_until(&format!("{report} is delivered"), || project.path(&report).exists().then_some(()));
        let report: Value = serde_json::from_str(&project.read(&report)).unwrap();
        let text = |key: &str| report[key].as_str().unwrap_or_default();
        assert_eq!(
            (text("label"), text("reason")),
            (expected.label.as_str(), expected.reason.as_str()),
            "{name}: {report:#}"
        );
        let score = report["score"].as_f64().unwrap();
        assert!((score - expected.score).abs() < 0.01, "{name}: {score} is not {}", expected.score);
        let bytes = |path: &str| fs::read(project.path(path)).unwrap();
        assert_eq!(
            bytes(&format!("{folder}/{name}")),
            bytes(&format!("samples/{name}")),
            "{name} was changed on the way"
        );
    }
    let delivered = project.names("accepted").len() + project.names("quarantine").len();
    assert_eq!(delivered, 2 * expected.len(), "each file and its report, once");
    wait_until("the inbox is empty", || project.names("inbox").is_empty().then_some(()));
}

#[test]
fn every_sample_is_judged_as_the_python_package_does_on_rten() {
    samples_are_judged_as_expected(&Engine::rten());
}

#[test]
fn every_sample_is_judged_as_the_python_package_does_on_onnx_runtime() {
    if let Some(engine) = Engine::onnxruntime("the example file-intake on ONNX Runtime") {
        samples_are_judged_as_expected(&engine);
    }
}

#[test]
fn another_policy_for_one_run_changes_the_verdict() {
    let project = Project::example("file-intake", &Engine::rten().config);
    let verdict = |policy: &[&str]| {
        let arguments = [&["run", "file-intake", "--file", "samples/update.txt", "--json"], policy].concat();
        project.run(&arguments).ok().json()["outputs"]["verdict"]["reason"].clone()
    };
    assert_eq!(verdict(&[]), "denied-type");
    assert_eq!(verdict(&["-p", "policy={\"deny\": []}"]), "mismatch");
    // The same bytes are there already; the second report got a number, nothing was overwritten.
    let delivered = ["update.txt", "update.txt.verdict-1.json", "update.txt.verdict.json"];
    assert_eq!(project.names("quarantine"), delivered);
}
