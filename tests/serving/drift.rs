//! What clients ask is watched: it moves, somebody is told once, and nothing of that is lost.

use serde_json::{Value, json};

use crate::{
    Serving,
    onnx::{FLOAT, INT64, graph, model, node, value_of_rows},
    scores,
    support::{Project, wait_until},
    wire::Client,
};

/// Chance that is the same each time.
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(self.0 >> 33).unwrap()) / f64::from(1_u32 << 31)
    }

    /// About normal, of mean 0 and deviation 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Requests of ten rows of four.
fn ask(client: &mut Client, chance: &mut Chance, requests: usize, row: impl Fn(&mut Chance) -> [Value; 4]) {
    for _ in 0..requests {
        let data: Vec<Value> = (0..10).flat_map(|_| row(chance)).collect();
        let input = json!({"name": "x", "datatype": "FP32", "shape": [10, 4], "data": data});
        let (status, answer) = client.infer("scores", &json!({ "inputs": [input] }));
        assert_eq!(status, 200, "{answer}");
    }
}

fn usual(chance: &mut Chance) -> [Value; 4] {
    [20.0, 0.0, 0.0, 0.0].map(|mean| json!(mean + chance.normal()))
}

fn moved(chance: &mut Chance) -> [Value; 4] {
    [24.5, 0.0, 0.0, 0.0].map(|mean| json!(mean + chance.normal()))
}

/// What `drift show scores` says.
fn shown(project: &Project) -> Value {
    shown_of(project, "scores")
}

fn shown_of(project: &Project, name: &str) -> Value {
    let ran = project.run(&["drift", "show", name, "--json"]);
    // Before the first row of it is on disk there is nothing.
    if ran.code() == 0 { ran.json()[0].clone() } else { Value::Null }
}

fn until(project: &Project, drift: &str) -> Value {
    wait_until(drift, || Some(shown(project)).filter(|shown| shown["drift"] == drift))
}

fn project() -> Project {
    let project = Project::new();
    project.write("scores.onnx", scores());
    project.write("labels.txt", "one\ntwo\nthree\nfour\n");
    project.write(
        "trackside.toml",
        "[models.scores]\npath = \"scores.onnx\"\nlabels = \"labels.txt\"\n[models.scores.drift]\nrows = 50\nreference = 1000\n\
         [inference]\nlisten = \"127.0.0.1:0\"\n",
    );
    project.workflow(
        "alarm",
        "triggers:\n  - drift: scores\nsteps:\n  a: { plugin: echo, with: { value: \"${trigger.drift.words}\" } }\n",
    );
    project.workflow(
        "over",
        "triggers:\n  - drift: { name: scores, on: [cleared] }\nsteps:\n  a: { plugin: echo, with: { value: \"${trigger.drift.turn}\" } }\n",
    );
    project.workflow("other", "triggers:\n  - drift: others\nsteps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project
}

#[test]
fn an_alarm_starts_its_workflow_once_through_a_crash_and_ends_when_it_is_back() {
    let serving = Serving::over(project());
    let (mut client, mut chance) = (Client::of(&serving), Chance(7));
    ask(&mut client, &mut chance, 100, usual);
    let learnt = wait_until("a complete reference", || {
        Some(shown(&serving.project)).filter(|shown| shown["reference"]["complete"] == true)
    });
    assert_eq!((learnt["version"].clone(), learnt["drift"].clone()), (json!(1), json!("unknown")));
    let names: Vec<&Value> =
        learnt["reference"]["columns"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(
        names,
        ["x[0]", "x[1]", "x[2]", "x[3]", "y class", "y[one]", "y[two]", "y[three]", "y[four]"],
        "elements of short rows, and of an output with labels the winner besides"
    );
    ask(&mut client, &mut chance, 20, usual);
    ask(&mut client, &mut chance, 15, moved);
    let alarmed = until(&serving.project, "alarm");
    let words = alarmed["alarm"]["words"].as_str().unwrap();
    assert!(
        words.contains("x[0]: median from ") && words.contains(" to 24.") && words.contains("% above everything"),
        "{words}"
    );
    assert!(!words.contains("x[1]"), "{words}");
    let page = serving.project.run(&["drift", "show", "scores"]).ok();
    page.prints(&["scores version 1  drift: alarm", "x[0]: median from", "COLUMN", "▁"]);
    let runs = serving.project.wait_runs(1);
    assert_eq!(runs[0]["workflow"], "alarm", "{runs:?}");
    let view = serving.project.show(runs[0]["run"].as_str().unwrap());
    assert!(view["outputs"]["a"]["value"].as_str().unwrap().starts_with("x[0]: median"), "{view:#}");

    // Nothing is forgotten, and nothing starts twice.
    let Serving { node, project, .. } = serving;
    node.kill();
    assert_eq!(shown(&project)["drift"], "alarm", "without a node");
    let serving = Serving::over(project);
    let mut client = Client::of(&serving);
    ask(&mut client, &mut chance, 15, moved);
    assert_eq!(until(&serving.project, "alarm")["alarm"]["window"], alarmed["alarm"]["window"]);
    // It is back.
    ask(&mut client, &mut chance, 60, usual);
    let over = until(&serving.project, "none");
    assert!(over["alarm"].is_null(), "{over}");
    let runs = serving.project.wait_runs(2);
    assert_eq!(runs[1]["workflow"], "over", "{runs:?}");
}

#[test]
fn a_reference_is_made_anew_with_a_node_and_without_one() {
    let serving = Serving::over(project());
    let (mut client, mut chance) = (Client::of(&serving), Chance(8));
    ask(&mut client, &mut chance, 100, usual);
    ask(&mut client, &mut chance, 15, moved);
    until(&serving.project, "alarm");
    serving.project.run(&["drift", "reset", "scores"]).ok();
    let anew = wait_until("that it is made anew", || {
        Some(shown(&serving.project)).filter(|shown| shown["reference"]["complete"] == false)
    });
    assert_eq!(
        (&anew["reference"]["rows"], &anew["drift"], &anew["window"]),
        (&json!(0), &json!("unknown"), &Value::Null)
    );
    // What had moved is usual now.
    ask(&mut client, &mut chance, 110, moved);
    let learnt = wait_until("another reference", || {
        let shown = serving.project.run(&["--json", "drift", "show"]).ok().json()[0].clone();
        (shown["reference"]["complete"] == true).then_some(shown)
    });
    assert!(learnt["reference"]["columns"][0]["median"].as_f64().unwrap() > 24.0, "{learnt}");
    let (status, told) = serving.node.ask("GET", "/v1/drift", "");
    assert!(status == 200 && told.contains("\"scores\""), "{told}");
    let (status, told) = serving.node.ask("POST", "/v1/drift/nobody/reset", "");
    assert!(status == 404 && told.contains("TS-1031"), "{told}");
    let Serving { node, project, .. } = serving;
    node.terminate();
    project.run(&["drift", "reset", "scores"]).ok();
    project.run(&["drift", "show"]).ok().says(&["Nothing is watched yet"]);
}

#[test]
fn nothing_of_a_client_is_too_strange_to_be_counted() {
    let project = Project::new();
    let nodes = [node("", "Identity", &["x"], &["y"]), node("", "Identity", &["k"], &["l"])];
    let inputs = [value_of_rows("x", FLOAT, 100), value_of_rows("k", INT64, 1)];
    let outputs = [value_of_rows("y", FLOAT, 100), value_of_rows("l", INT64, 1)];
    project.write("odd.onnx", model(&graph(&nodes, &[], &inputs, &outputs)));
    project.write(
        "trackside.toml",
        "[models.odd]\npath = \"odd.onnx\"\n[models.odd.drift]\nrows = 20\nreference = 60\n[inference]\nlisten = \"127.0.0.1:0\"\n",
    );
    let serving = Serving::over(project);
    let mut client = Client::of(&serving);
    for request in 0..30 {
        let mut x = vec![0.5_f32; 300];
        x[0] = f32::MAX;
        x[1] = f32::MIN_POSITIVE / 4.0;
        x[2] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0][request % 4];
        let k = [i64::MIN, i64::MAX, 0].map(i64::to_le_bytes).concat();
        let head = json!({"inputs": [
            {"name": "x", "datatype": "FP32", "shape": [3, 100], "parameters": {"binary_data_size": 1200}},
            {"name": "k", "datatype": "INT64", "shape": [3, 1], "parameters": {"binary_data_size": 24}},
        ]})
        .to_string();
        let x: Vec<u8> = x.iter().flat_map(|value| value.to_le_bytes()).collect();
        let body = [head.as_bytes(), &x, &k].concat();
        let line = format!("POST /v2/models/odd/infer HTTP/1.1\r\ninference-header-content-length: {}", head.len());
        assert_eq!(client.send(&line, &body).0, 200);
    }
    let shown = wait_until("a reference", || {
        Some(shown_of(&serving.project, "odd")).filter(|shown| shown["reference"]["complete"] == true)
    });
    let columns = shown["reference"]["columns"].as_array().unwrap();
    let of = |name: &str| columns.iter().find(|column| column["name"] == name).unwrap();
    // Long rows are watched as a whole, whole numbers of few kinds as categories.
    assert!(of("x mean")["nan"].as_u64().unwrap() > 0, "{shown}");
    assert!(of("x greatest")["infinite"].as_u64().unwrap() > 0, "{shown}");
    assert_eq!(of("k")["categories"].as_array().unwrap().len(), 3, "{shown}");
}

/// A run with a table of 250 rows, of which this many temperatures are missing.
fn table(project: &Project, node: &crate::support::Node, chance: &mut Chance, mean: f64, site: &str, nulls: usize) {
    let rows: Vec<Value> = (0..250)
        .map(|row| {
            let temperature = if row < nulls { Value::Null } else { json!(mean + chance.normal()) };
            json!({"temperature": temperature, "site": if row % 2 == 0 { "north" } else { site }})
        })
        .collect();
    let body = json!({"workflow": "check", "params": {"rows": rows}}).to_string();
    let (status, answer) = node.ask("POST", "/v1/runs", &body);
    assert_eq!(status, 202, "{answer}");
    let run: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(project.wait_end(run["run"].as_str().unwrap())["state"], "succeeded");
}

#[test]
fn columns_of_a_contract_are_watched_one_table_at_a_time_and_start_a_workflow() {
    let project = Project::new();
    project.workflow(
        "check",
        r#"params:
  rows: { type: array }
steps:
  a:
    plugin: echo
    requires:
      - of: "${params.rows}"
        name: table
        columns:
          temperature: { type: number, max_null_fraction: 1 }
          site: { type: string }
        drift: { name: readings, rows: 200, reference: 5000 }
    with: { value: 1 }
"#,
    );
    project.workflow(
        "alarm",
        "triggers:\n  - drift: readings\nsteps:\n  a: { plugin: echo, with: { value: \"${trigger.drift.kind}\" } }\n",
    );
    let node = project.serve();
    let mut chance = Chance(11);
    for _ in 0..20 {
        table(&project, &node, &mut chance, 20.0, "south", 0);
    }
    let shown = || shown_of(&project, "readings");
    let learnt = wait_until("a reference", || Some(shown()).filter(|shown| shown["reference"]["complete"] == true));
    // Each table was a window of its own, whatever `rows` says.
    assert_eq!((&learnt["kind"], &learnt["reference"]["windows"]), (&json!("dataset"), &json!(20)));
    assert!(learnt.get("version").is_none(), "{learnt}");
    table(&project, &node, &mut chance, 20.0, "south", 0);
    for _ in 0..2 {
        table(&project, &node, &mut chance, 24.9, "west", 50);
    }
    let alarmed = wait_until("an alarm", || Some(shown()).filter(|shown| shown["drift"] == "alarm"));
    let words = alarmed["alarm"]["words"].as_str().unwrap();
    for part in [
        "temperature: median from ",
        " to 24.",
        "nothing there from 0 % to 20 %",
        "new categories (west) from 0 % to 50 %",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    let runs = wait_until("the run that the alarm starts", || {
        Some(project.runs()).filter(|runs| runs.iter().any(|run| run["workflow"] == "alarm"))
    });
    assert_eq!(runs.iter().filter(|run| run["workflow"] == "alarm").count(), 1);
    // A look at a run that was counts nothing.
    let windows = shown()["window"]["number"].clone();
    let run = runs.iter().find(|run| run["workflow"] == "check").unwrap()["run"].as_str().unwrap().to_owned();
    project.run(&["replay", &run]);
    node.terminate();
    assert_eq!(shown()["window"]["number"], windows);
}
