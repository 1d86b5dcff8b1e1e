//! examples/serve: two models that clients ask over the wire, and that a workflow makes orders of.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};

use crate::{
    Engine,
    support::{Node, Project, project::step, wait_until},
};

/// The example, at a port that is free.
fn example(engine: &Engine) -> Project {
    let project = Project::example("serve", &engine.config);
    let config = project.read("trackside.toml");
    assert!(config.contains("\"127.0.0.1:8000\""), "{config}");
    project.write("trackside.toml", config.replace("127.0.0.1:8000", "127.0.0.1:0"));
    project
}

/// The numbers of a tensor, in whatever way they are nested.
fn numbers(tensor: &Value) -> Vec<f64> {
    match tensor {
        Value::Array(parts) => parts.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

#[track_caller]
fn are_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= 1e-4 + 1e-3 * expected.abs(), "{found} is not {expected}");
    }
}

/// What the pipeline must say of each row of the request: ONNX Runtime said it when the model was made.
#[track_caller]
fn is_golden(project: &Project, labels: &Value, probabilities: &[f64]) {
    let golden: Value = serde_json::from_str(&project.read("models/rain-tomorrow.golden.json")).unwrap();
    assert!(golden["engine"].as_str().unwrap().starts_with("onnxruntime 1."), "{golden:#}");
    let [label, chance] = [0, 1].map(|at| &golden["outputs"][at]);
    assert_eq!((&label["name"], &chance["name"]), (&json!("label"), &json!("probabilities")));
    assert_eq!(labels, &label["data"]);
    are_close(probabilities, &numbers(&chance["data"]));
}

fn the_days_become_orders(engine: &Engine) {
    let project = example(engine);
    project.run(&["check"]).ok().prints(&["garden", "rain-tomorrow", "low-tomorrow", engine.name]);

    // The forest has its golden vectors, which every start holds it against; the pipeline has texts, and a request instead.
    let asked: Value = serde_json::from_str(&project.read("client/rain.json")).unwrap();
    let mut arguments = vec!["model".to_owned(), "predict".to_owned(), "rain-tomorrow".to_owned(), "--json".to_owned()];
    for input in asked["inputs"].as_array().unwrap() {
        let column: Vec<Value> = input["data"].as_array().unwrap().iter().map(|value| json!([value])).collect();
        arguments.extend(["--input".to_owned(), format!("{}={}", input["name"].as_str().unwrap(), json!(column))]);
    }
    let told = project.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).ok().json();
    assert!(told["engine"].as_str().unwrap().starts_with(engine.name), "{told:#}");
    is_golden(&project, &told["outputs"]["label"], &numbers(&told["outputs"]["probabilities"]));

    for (month, water, cover, events) in
        [("2015-01", false, false, 0), ("2015-07", true, false, 0), ("2015-12", false, true, 1)]
    {
        let file = format!("data/{month}.csv");
        let view = project.run(&["run", "garden", "--file", &file, "--json"]).ok().json();
        for name in ["rain", "low"] {
            engine.did(&step(&view, name)["report"]);
        }
        let orders: Value = serde_json::from_str(&project.read(&format!("orders/{month}.json"))).unwrap();
        assert_eq!((&orders["water"], &orders["cover"]), (&json!(water), &json!(cover)), "{orders:#}");
        assert_eq!(orders["models"]["rain"], step(&view, "rain")["report"]["digest"], "{orders:#}");
        assert_eq!(view["outputs"]["cold"]["event"] == json!("frost"), events == 1, "{view:#}");
        let (own, joined) = (project.read(&file), project.read(&format!("forecasts/{month}.csv")));
        assert_eq!((own.lines().count(), joined.lines().count()), (32, 32));
        for (own, joined) in own.lines().zip(joined.lines()) {
            assert!(joined.strip_prefix(own).is_some_and(|new| new.split(',').count() == 4), "{joined}");
        }
    }
}

#[test]
fn the_days_become_orders_on_rten() {
    the_days_become_orders(&Engine::rten());
}

#[test]
fn the_days_become_orders_on_onnx_runtime() {
    if let Some(engine) = Engine::onnxruntime("the example serve on ONNX Runtime") {
        the_days_become_orders(&engine);
    }
}

/// A request and its answer, as `curl` has them.
fn post(address: &str, path: &str, body: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body).unwrap()
}

#[test]
fn clients_and_a_workflow_ask_the_same_models() {
    let project = example(&Engine::rten());
    let node = Node::start(project.root());
    let address = wait_until("the address of the inference server", || {
        let said = node.said();
        let (_, rest) = said.split_once("answering requests for inference")?;
        Some(rest.split_once("address=")?.1.split_whitespace().next()?.to_owned())
    });
    let answer = post(&address, "/v2/models/rain-tomorrow/infer", &project.read("client/rain.json"));
    is_golden(&project, &answer["outputs"][0]["data"], &numbers(&answer["outputs"][1]["data"]));

    let days = project.read("data/2015-12.csv");
    project.drop_file("inbox/december.csv", &days);
    project.wait_runs(1);
    let orders: Value = serde_json::from_str(&project.read("orders/december.json")).unwrap();
    assert_eq!((&orders["water"], &orders["cover"]), (&json!(false), &json!(true)), "{orders:#}");
    // A client who asks about the last day hears what the order says.
    let last: Vec<&str> = days.lines().last().unwrap().split(',').collect();
    let request =
        format!(r#"{{"inputs":[{{"name":"x","datatype":"FP32","shape":[1,4],"data":[{}]}}]}}"#, last[1..5].join(","));
    let answer = post(&address, "/v2/models/low-tomorrow/infer", &request);
    are_close(&numbers(&answer["outputs"][0]["data"]), &[orders["lowest_temperature"].as_f64().unwrap()]);
}

#[test]
fn a_day_that_can_not_be_right_fails_the_run_and_nothing_is_ordered() {
    let project = example(&Engine::rten());
    let days = project.read("data/2015-07.csv");
    for (bad, words) in [
        ("2015-08-01,0.0,950.0,14.4,2.6,sun\n", &["bad-data", "line 33", "temp_max"][..]),
        ("2015-08-01,0.0,,14.4,2.6,sun\n", &["bad-data", "line 33", "temp_max"]),
        ("2015-07-31,0.0,25.0,14.4,2.6,sun\n", &["bad-data", "line 33", "date"]),
    ] {
        project.write("bad.csv", format!("{days}{bad}"));
        project.run(&["run", "garden", "--file", "bad.csv"]).exits(1).says(words);
    }
    assert!(!project.path("orders").exists() && !project.path("forecasts").exists());
}
