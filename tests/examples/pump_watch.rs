//! examples/pump-watch

use serde_json::Value;

use crate::{
    Engine,
    support::{Project, project::step},
};

/// Runs one data file by hand.
#[track_caller]
fn judge(project: &Project, file: &str) -> Value {
    project.run(&["run", "pump-watch", "--file", &format!("data/{file}"), "--json"]).ok().json()
}

/// The days of the README: which of them alert, and the summary of all.
fn the_days_are_judged_as_the_readme_says(engine: &Engine) {
    let project = Project::example("pump-watch", &engine.config);
    project.run(&["check"]).ok().prints(&["pump-watch", "pump-anomaly", engine.name, "cron 30 2 * * *"]);
    let mut alerts = 0;
    for (file, alert) in [
        ("flow-2022-03-23.csv", false),
        ("flow-2022-03-24.csv", true),
        ("flow-2022-03-27.csv", false),
        ("flow-2022-04-03.csv", true),
        ("flow-2022-04-19.csv", false),
        ("flow-2022-04-27.csv", true),
        ("flow-2022-04-30.csv", false),
        ("flow-2022-w15.csv", false),
        ("flow-2022-w17.csv", true),
    ] {
        let view = judge(&project, file);
        assert_eq!(view["state"], "succeeded", "{file}: {view:#}");
        engine.did(&step(&view, "score")["report"]);
        assert_eq!(view["outputs"]["decide"]["breach"], alert, "{file}: {:#}", view["outputs"]["decide"]);
        alerts += usize::from(alert);
        assert_eq!(project.names("alerts").len(), alerts, "{file}");
        if alert {
            let alert: Value =
                serde_json::from_str(&project.read(&format!("alerts/{}", file.replace(".csv", ".json")))).unwrap();
            assert!(alert["worst_score"].as_f64().unwrap() > 3.0, "{alert:#}");
            assert_eq!((&alert["file"], &alert["run"]), (&file.into(), &view["run"]));
        }
    }
    // One lost hour is filled in; three hours are no window.
    assert_eq!(judge(&project, "flow-2022-04-19.csv")["outputs"]["features"]["interpolated"], 1);
    let short = judge(&project, "flow-2022-04-24.csv");
    assert_eq!(
        (&short["state"], &step(&short, "score")["state"]),
        (&"succeeded".into(), &"skipped".into()),
        "{short:#}"
    );
    let worst = judge(&project, "flow-2022-w17.csv")["outputs"]["decide"]["worst"].as_f64().unwrap();
    assert!((worst - 171.6).abs() < 0.1, "the README says 171.6, the model {worst}");

    let summary = project.run(&["run", "pump-watch", "--json"]).ok().json();
    assert_eq!(step(&summary, "validate")["state"], "skipped", "{summary:#}");
    let reports = project.names("reports");
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    let report = project.read(&format!("reports/{report}"));
    assert!(report.contains("Water flow") && report.contains("worst score") && report.contains("alerts"), "{report}");
}

#[test]
fn the_days_are_judged_as_the_readme_says_on_rten() {
    the_days_are_judged_as_the_readme_says(&Engine::rten());
}

#[test]
fn the_days_are_judged_as_the_readme_says_on_onnx_runtime() {
    if let Some(engine) = Engine::onnxruntime("the example pump-watch on ONNX Runtime") {
        the_days_are_judged_as_the_readme_says(&engine);
    }
}

#[test]
fn a_broken_file_fails_its_run_is_told_with_its_lines_and_reported_in_rejected() {
    let project = Project::example("pump-watch", &Engine::rten().config);
    let ran = project.run(&["run", "pump-watch", "--file", "data/flow-broken.csv"]).exits(1);
    ran.says(&["bad-data", "validate", "line 6", "line 10", "line 18"]);
    let view = project.show("last");
    assert_eq!((&view["state"], &step(&view, "score")["state"]), (&"failed".into(), &"skipped".into()), "{view:#}");
    let rejected = project.read(&format!("rejected/{}.txt", view["run"].as_str().unwrap()));
    assert!(rejected.starts_with("validate: ") && rejected.contains("line 6"), "{rejected}");
    assert!(!project.path("alerts").exists());
}

#[test]
fn a_file_in_the_inbox_of_a_running_node_becomes_an_alert() {
    let project = Project::example("pump-watch", &Engine::rten().config);
    let _node = project.serve();
    let day = std::fs::read(project.path("data/flow-2022-04-27.csv")).unwrap();
    project.drop_file("inbox/flow-2022-04-27.csv", day);
    let run = project.wait_runs(1).remove(0);
    let view = project.wait_end(run["run"].as_str().unwrap());
    assert_eq!((&view["state"], &view["trigger"]["kind"]), (&"succeeded".into(), &"file".into()), "{view:#}");
    assert_eq!(project.names("alerts"), ["flow-2022-04-27.json"]);
}
