//! Predictions are held against the truth, whenever and however often it is told.

use std::thread;

use serde_json::{Value, json};

use crate::{
    Serving,
    broker::Broker,
    support::{Node, node::ask, wait_until},
    wire::Client,
};

const KEPT: &str = "[models.scores.feedback]\nrate = 10000\n[models.two.feedback]\noutput = \"sum\"\nanswer = \"value\"\ntolerance = 0.5\n";

/// A request for the class of this place, of so many rows.
pub fn class(id: &str, classes: &[usize]) -> Value {
    let row = |class: &usize| (0..4).map(|at| if at == *class { 0.7 } else { 0.1 }).collect::<Vec<f64>>();
    let data: Vec<f64> = classes.iter().flat_map(row).collect();
    json!({"id": id, "inputs": [{"name": "x", "datatype": "FP32", "shape": [classes.len(), 4], "data": data}]})
}

pub fn sum(id: &str, a: f64, b: f64) -> Value {
    let input = |name: &str, value: f64| json!({"name": name, "datatype": "FP32", "shape": [1, 1], "data": [value]});
    json!({"id": id, "inputs": [input("a", a), input("b", b)]})
}

pub fn infer(client: &mut Client, model: &str, body: &Value) {
    let (status, answer) = client.infer(model, body);
    assert_eq!((status, &answer["id"]), (200, &body["id"]), "{answer}");
}

/// Tells a label at the inference server's address.
fn tell(client: &mut Client, body: &Value) -> (u16, Value) {
    let (status, _, answer) = client.send("POST /v1/labels HTTP/1.1", body.to_string().as_bytes());
    (status, serde_json::from_slice(&answer).unwrap())
}

/// What became of a label that was taken alone.
pub fn told(client: &mut Client, body: &Value) -> Value {
    let (status, answer) = tell(client, body);
    assert_eq!(status, 200, "{answer}");
    answer["labels"][0].clone()
}

fn accuracy(serving: &Serving, model: &str) -> Value {
    serving.project.run(&["model", "accuracy", model, "--json"]).ok().json()
}

#[test]
fn a_label_by_the_requests_id_tells_right_from_wrong_over_each_way() {
    let serving = Serving::start(KEPT);
    let mut client = Client::of(&serving);
    for (id, at) in [("a", 0), ("b", 1), ("c", 2), ("d", 3)] {
        infer(&mut client, "scores", &class(id, &[at]));
    }
    let one = told(&mut client, &json!({"id": "a", "value": "one"}));
    assert_eq!(one, json!({"id": "a", "outcome": "taken", "model": "scores", "version": 1, "right": 1, "of": 1}));
    // By the class's number, over the socket.
    let (status, answer) = serving.node.ask("POST", "/v1/labels", r#"{"id": "b", "value": 3}"#);
    assert!(status == 200 && answer.contains(r#""right":0"#), "{answer}");
    let ran = serving.project.run(&["label", "c", "three"]).ok();
    assert!(ran.stderr.contains("scores@1 was right"), "{}", ran.stderr);
    // A number within its tolerance, and the version's accuracy with its band.
    infer(&mut client, "two", &sum("s", 1.0, 2.0));
    assert_eq!(told(&mut client, &json!({"id": "s", "value": 3.4}))["right"], 1);
    assert_eq!(told(&mut client, &json!({"id": "s", "value": 3.6}))["right"], 0);
    let document = accuracy(&serving, "scores");
    let version = &document["versions"][0];
    assert_eq!((&version["labelled"], &version["right"]), (&json!(3), &json!(2)), "{document}");
    let band = &version["accuracy"];
    let (low, high) = (band["low"].as_f64().unwrap(), band["high"].as_f64().unwrap());
    assert!(0.0 < low && low < 2.0 / 3.0 && 2.0 / 3.0 < high && high < 1.0 + 1e-9, "{band}");
    assert_eq!((&document["kept"], &document["kept_labelled"]), (&json!(4), &json!(3)));
    // Of the one without a label its confidence says something.
    assert_eq!(version["estimate"]["answers"], 1, "{version}");
    let page = serving.project.run(&["model", "accuracy", "scores"]).ok().stdout;
    assert!(
        page.contains("66.7 %") && page.contains("3 of the 4 predictions") && page.contains("takes it that"),
        "{page}"
    );
    let (status, same) = serving.node.ask("GET", "/v1/models/scores/accuracy", "");
    assert_eq!((status, serde_json::from_str::<Value>(&same).unwrap()["kept"].clone()), (200, json!(4)));
}

#[test]
fn a_label_told_twice_counts_once_and_a_corrected_one_takes_the_place_of_the_first() {
    let serving = Serving::start(KEPT);
    let mut client = Client::of(&serving);
    infer(&mut client, "scores", &class("a", &[0]));
    let counts = |serving: &Serving| {
        let document = accuracy(serving, "scores");
        (document["versions"][0]["labelled"].clone(), document["versions"][0]["right"].clone())
    };
    assert_eq!(told(&mut client, &json!({"id": "a", "value": 1}))["outcome"], "taken");
    assert_eq!(told(&mut client, &json!({"id": "a", "value": 1}))["outcome"], "repeated");
    assert_eq!(counts(&serving), (json!(1), json!(0)));
    let corrected = told(&mut client, &json!({"id": "a", "value": 0}));
    assert_eq!(
        (&corrected["outcome"], &corrected["was"], &corrected["right"]),
        (&json!("corrected"), &json!(1), &json!(1))
    );
    assert_eq!(counts(&serving), (json!(1), json!(1)));
    // Several rows: a list of as many, and what is not known counts for nothing.
    infer(&mut client, "scores", &class("rows", &[0, 1, 2]));
    let rows = told(&mut client, &json!({"id": "rows", "value": ["one", null, "one"]}));
    assert_eq!((&rows["right"], &rows["of"]), (&json!(1), &json!(2)));
    assert_eq!(counts(&serving), (json!(3), json!(2)));
    told(&mut client, &json!({"id": "rows", "value": [null, "two", null]}));
    assert_eq!(counts(&serving), (json!(2), json!(2)));
    // Both stand in the journal, with who told them.
    let database = serving.project.path(".trackside/trackside.db");
    let log = std::fs::read(serving.project.path(".trackside/trackside.db-wal")).unwrap_or_default();
    let all = [std::fs::read(database).unwrap(), log].concat();
    let entry = r#""event":"labelled","request":"a","version":1,"truth":"0","was":"1","by":"a client of models""#;
    assert!(all.windows(entry.len()).any(|part| part == entry.as_bytes()));
}

#[test]
fn a_label_that_comes_first_waits_and_one_that_fits_nothing_is_refused_in_words() {
    let serving = Serving::start(KEPT);
    let mut client = Client::of(&serving);
    assert_eq!(told(&mut client, &json!({"id": "early", "value": "two"}))["outcome"], "waits");
    assert_eq!(told(&mut client, &json!({"id": "early", "value": "one", "model": "scores"}))["outcome"], "waits");
    infer(&mut client, "scores", &class("early", &[0]));
    // Another label brings what was recorded to the disk with it; the model's own counts before anybody's.
    infer(&mut client, "two", &sum("both", 1.0, 1.0));
    infer(&mut client, "scores", &class("both", &[0]));
    let refused = |client: &mut Client, body: Value, status: u16, words: &[&str]| {
        let (found, answer) = tell(client, &body);
        let said = answer["error"].as_str().unwrap_or_default().to_owned();
        assert!(found == status && words.iter().all(|word| said.contains(word)), "{body}: {found} {answer}");
    };
    refused(&mut client, json!({"id": "both", "value": 1}), 400, &["TS-1054", "scores, two"]);
    assert_eq!(told(&mut client, &json!({"id": "both", "value": 2, "model": "two"}))["right"], 1);
    assert_eq!(told(&mut client, &json!({"id": "early", "value": "one"}))["outcome"], "repeated");
    for (body, status, words) in [
        (json!({"id": "both", "value": "cat", "model": "two"}), 400, &["TS-1052", "a number"][..]),
        (json!({"id": "both", "value": [1, 2], "model": "two"}), 400, &["TS-1052", "1 rows", "list of 2"]),
        (json!({"id": "both", "value": {"a": 1}}), 400, &["TS-1052", "a text, a number"]),
        (json!({"id": "both", "value": null}), 400, &["TS-1052", "says nothing"]),
        (json!({"id": "both"}), 400, &["TS-1052", "missing field `value`"]),
        (json!({"id": "both", "value": 1, "label": 1}), 400, &["TS-1052", "unknown field `label`"]),
        (
            json!({"id": "both", "value": 1, "model": "pump"}),
            400,
            &["TS-1053", "[models.NAME.feedback]", "scores, two"],
        ),
        (json!({"id": "", "value": 1}), 400, &["TS-1051", "0 bytes"]),
        (json!({"id": "x".repeat(201), "value": 1}), 400, &["TS-1051", "201 bytes"]),
        (json!({"id": "a\u{1b}[2J", "value": 1}), 400, &["TS-1051"]),
        (json!({"id": "both", "value": "y".repeat(201)}), 400, &["TS-1052", "201 bytes"]),
        (json!({"labels": vec![json!({"id": "a", "value": 1}); 1001]}), 413, &["TS-1055", "1001"]),
        (json!(["both"]), 400, &["TS-1052"]),
    ] {
        refused(&mut client, body, status, words);
    }
    let (status, _, answer) = client.send("POST /v1/labels HTTP/1.1", &vec![b' '; (1 << 20) + 1]);
    assert_eq!(status, 413, "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn of_many_labels_those_that_fit_are_taken_and_the_others_are_told() {
    let serving = Serving::start(KEPT);
    let mut client = Client::of(&serving);
    for id in 0..20 {
        infer(&mut client, "scores", &class(&format!("r{id}"), &[id % 4]));
    }
    let (status, answer) = tell(
        &mut client,
        &json!({"labels": [{"id": "r0", "value": 0}, {"id": "r1", "value": {}}, {"id": "no", "value": 1}]}),
    );
    let outcomes: Vec<&Value> = answer["labels"].as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!((status, outcomes), (200, vec![&json!("taken"), &json!("refused"), &json!("waits")]), "{answer}");
    assert_eq!(answer["labels"][1]["error"]["code"], "TS-1052");
    // From a file, as JSON lines and as CSV; twice, and nothing changes.
    let lines: String = (0..10).map(|id| format!("{}\n", json!({"id": format!("r{id}"), "value": id % 4}))).collect();
    serving.project.write("truth.jsonl", lines);
    let table: String = (10..20).map(|id| format!("r{id},{}\n", ["one", "two", "three", "four"][id % 4])).collect();
    serving.project.write("truth.csv", format!("id,value\n{table}"));
    let from = |file: &str| serving.project.run(&["label", "--from", file, "--json"]).ok().json();
    let path = |file: &str| serving.project.path(file).to_str().unwrap().to_owned();
    assert_eq!(
        (from(&path("truth.jsonl"))["taken"].clone(), from(&path("truth.csv"))["taken"].clone()),
        (json!(9), json!(10))
    );
    assert_eq!(from(&path("truth.csv"))["repeated"], 10);
    let version = accuracy(&serving, "scores")["versions"][0].clone();
    assert_eq!((&version["labelled"], &version["right"]), (&json!(20), &json!(20)), "{version}");
    serving.project.write("bad.csv", "id,value\nr1,0,7\n");
    let ran = serving.project.run(&["label", "--from", &path("bad.csv")]);
    assert!(ran.code() == 2 && ran.stderr.contains("TS-1058") && ran.stderr.contains("line 2"), "{}", ran.stderr);
    serving.project.write("bad.csv", "name,value\nr1,0\n");
    assert!(serving.project.run(&["label", "--from", &path("bad.csv")]).stderr.contains("no columns `id` and `value`"));
}

#[test]
fn what_is_not_recorded_is_counted_with_the_reason() {
    let serving = Serving::start("[models.scores.feedback]\nrate = 5\n");
    let mut client = Client::of(&serving);
    let mut without = class("x", &[0]);
    without.as_object_mut().unwrap().remove("id");
    assert_eq!(client.infer("scores", &without).0, 200);
    infer(&mut client, "scores", &class("a\nb", &[0]));
    infer(&mut client, "scores", &class(&"x".repeat(201), &[0]));
    infer(&mut client, "scores", &class("many rows", &[0; 65]));
    for id in 0..200 {
        infer(&mut client, "scores", &class(&format!("r{id}"), &[0]));
    }
    told(&mut client, &json!({"id": "nobody", "value": 0}));
    let document = accuracy(&serving, "scores");
    let version = &document["versions"][0];
    let passed = &version["not_recorded"];
    assert_eq!(version["answered"], 204);
    assert_eq!((&passed["without_id"], &passed["bad_id"], &passed["unreadable"]), (&json!(1), &json!(2), &json!(1)));
    let (recorded, rate) = (version["recorded"].as_u64().unwrap(), passed["rate"].as_u64().unwrap());
    assert!(recorded + rate == 200 && recorded >= 4 && rate > 100, "{version}");
    assert_eq!(document["early_labels"], 1);
    let page = serving.project.run(&["model", "accuracy", "scores"]).ok().stdout;
    assert!(page.contains("1 without an id") && page.contains("beyond `rate`"), "{page}");
    let ran = serving.project.run(&["model", "accuracy", "pump"]);
    assert!(ran.code() == 2 && ran.stderr.contains("TS-1057"), "{}", ran.stderr);
}

#[test]
fn so_many_predictions_are_kept_and_no_more() {
    let serving = Serving::start("[models.scores.feedback]\nrate = 10000\nkeep = 10\n");
    let mut client = Client::of(&serving);
    for id in 0..50 {
        infer(&mut client, "scores", &class(&format!("r{id}"), &[0]));
    }
    assert_eq!(told(&mut client, &json!({"id": "r49", "value": 0}))["outcome"], "taken");
    assert_eq!(told(&mut client, &json!({"id": "r39", "value": 0}))["outcome"], "waits", "it is too old");
    assert_eq!(told(&mut client, &json!({"id": "r40", "value": 0}))["outcome"], "taken");
    assert_eq!(accuracy(&serving, "scores")["kept"], 10);
}

#[test]
fn labels_need_a_token_that_may_ask_models() {
    let serving = Serving::start(&format!("token = true\n{KEPT}"));
    let make = |name: &str, role: &str| {
        let ran = serving.project.run(&["--json", "token", "create", name, "--role", role]).ok();
        ran.json()["token"].as_str().unwrap().to_owned()
    };
    let (line, eyes) = (make("line", "client"), make("eyes", "viewer"));
    let mut client = Client::of(&serving);
    let mut status = |token: &str| {
        let head = format!("POST /v1/labels HTTP/1.1\r\nauthorization: Bearer {token}");
        client.send(&head, br#"{"id": "a", "value": 1}"#).0
    };
    assert_eq!((status(&line), status(&eyes), status("tsk_no")), (200, 403, 401));
}

#[test]
fn what_was_told_is_on_disk_before_it_is_answered_and_counts_once_through_crashes() {
    let mut serving = Serving::start(KEPT);
    const LABELS: usize = 60;
    {
        let mut client = Client::of(&serving);
        for id in 0..LABELS {
            infer(&mut client, "scores", &class(&format!("r{id}"), &[id % 4]));
        }
        // With it all that was recorded is on disk.
        told(&mut client, &json!({"id": "r0", "value": 0}));
    }
    let mut answered = 1;
    while answered < LABELS {
        let root = serving.project.root().to_owned();
        let from = answered;
        let telling = thread::spawn(move || {
            let mut at = from;
            while at < LABELS {
                let body = json!({"id": format!("r{at}"), "value": at % 4}).to_string();
                match ask(&root, "POST", "/v1/labels", &body) {
                    Ok((200, answer)) => {
                        // One whose answer was lost was taken before, and is not counted twice.
                        assert!(answer.contains("taken") || answer.contains("repeated"), "{answer}");
                        at += 1;
                    }
                    _ => return at,
                }
            }
            at
        });
        let node = serving.node;
        wait_until("some labels are taken", || {
            (telling.is_finished() || labelled(&serving.project) > from + 12).then_some(())
        });
        node.kill();
        answered = telling.join().unwrap();
        let counted = labelled(&serving.project);
        assert!((answered..=answered + 1).contains(&counted), "{answered} were answered, {counted} are counted");
        serving.node = Node::start(serving.project.root());
    }
    let version = accuracy(&serving, "scores")["versions"][0].clone();
    assert_eq!((&version["labelled"], &version["right"]), (&json!(LABELS), &json!(LABELS)), "{version}");
    // What follows is drawn from each once, whatever was interrupted.
    wait_until("all labels are drawn from", || {
        let lately = accuracy(&serving, "scores")["versions"][0]["lately"].clone();
        (lately["labels"] == LABELS).then_some(())
    });
    // Without a node, too.
    serving.node.terminate();
    let ran = serving.project.run(&["label", "r1", "0"]).ok();
    assert!(ran.stderr.contains("was wrong; the label was 1 before"), "{}", ran.stderr);
    assert_eq!(
        serving.project.run(&["model", "accuracy", "scores", "--json"]).ok().json()["versions"][0]["right"],
        LABELS - 1
    );
}

fn labelled(project: &crate::support::Project) -> usize {
    let document = project.run(&["model", "accuracy", "scores", "--json"]).ok().json();
    usize::try_from(document["versions"][0]["labelled"].as_u64().unwrap()).unwrap()
}

#[test]
fn an_error_that_rises_stands_in_the_journal_and_in_the_models_history() {
    let serving = Serving::start(KEPT);
    let mut client = Client::of(&serving);
    // Right nine times of ten at first, every second time then.
    let mut labels = Vec::new();
    for id in 0..500 {
        infer(&mut client, "scores", &class(&format!("r{id}"), &[0]));
        let is_right = if id < 300 { id % 10 != 0 } else { id % 2 != 0 };
        labels.push(json!({"id": format!("r{id}"), "value": u8::from(!is_right)}));
    }
    let (status, answer) = tell(&mut client, &json!({ "labels": labels }));
    assert_eq!(status, 200, "{answer}");
    serving.node.wait_said("TS-1056");
    let history = serving.project.run(&["model", "history", "scores"]);
    assert!(history.stdout.contains("errs otherwise"), "{}{}", history.stdout, history.stderr);
    let lately = accuracy(&serving, "scores")["versions"][0]["lately"].clone();
    assert!(lately["labels"].as_u64().unwrap() < 300, "{lately}");
}

#[test]
fn a_run_is_labelled_by_its_id_and_a_step_tells_the_truth_with_its_result() {
    let serving = Serving::start(KEPT);
    let ask = "model: scores\n    inputs: { x: [[0.7, 0.1, 0.1, 0.1]] }\n";
    serving.project.workflow("once", &format!("steps:\n  guess:\n    {ask}"));
    serving.project.workflow("twice", &format!("steps:\n  one:\n    {ask}  two:\n    {ask}"));
    let label = "label: { request: \"${run.id}/guess\", value: \"${params.truth}\", model: scores }";
    serving.project.workflow(
        "tells",
        &format!(
            "params:\n  truth: {{ type: string }}\nsteps:\n  guess:\n    {ask}  truth:\n    needs: [guess]\n    {label}\n"
        ),
    );
    let (status, answer) = serving.node.ask("POST", "/v1/reload", "");
    assert_eq!(status, 200, "{answer}");
    let run = serving.node.start_run("once");
    serving.project.wait_end(&run);
    let mut client = Client::of(&serving);
    let one = told(&mut client, &json!({"id": run, "value": "one"}));
    assert_eq!((&one["outcome"], &one["right"]), (&json!("taken"), &json!(1)), "{one}");
    let same = told(&mut client, &json!({"id": format!("{run}/guess"), "value": "one"}));
    assert_eq!(same["outcome"], "repeated");
    let run = serving.node.start_run("twice");
    serving.project.wait_end(&run);
    let (status, answer) = tell(&mut client, &json!({"id": run, "value": "one"}));
    let said = answer["error"].as_str().unwrap();
    assert!(status == 400 && said.contains("TS-1059") && said.contains(&format!("{run}/one, {run}/two")), "{answer}");
    // A step's label counts with the step, once.
    let ran = serving.project.run(&["run", "tells", "--param", "truth=two", "--json"]).ok();
    let run = ran.json()["run"].as_str().unwrap().to_owned();
    let view = serving.project.wait_end(&run);
    assert_eq!(
        view["outputs"]["truth"],
        json!({"request": format!("{run}/guess"), "value": "two", "model": "scores"}),
        "{view}"
    );
    // Beside it the prediction lies in memory: whoever tells something takes it along.
    told(&mut client, &json!({"id": "nobody", "value": 1}));
    let version = accuracy(&serving, "scores")["versions"][0].clone();
    assert_eq!((&version["labelled"], &version["right"]), (&json!(2), &json!(1)), "{version}");
    let same = told(&mut client, &json!({"id": run, "value": "two"}));
    assert_eq!(same["outcome"], "repeated", "{same}");
    // What can be no truth fails the step, and is told.
    let ran = serving.project.run(&["run", "tells", "--param", &format!("truth={}", "x".repeat(201))]);
    assert!(ran.code() == 1 && ran.stderr.contains("201 bytes"), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn a_broker_brings_labels_which_are_on_disk_before_they_are_acknowledged() {
    let Some(broker) = Broker::start("labels of a broker") else { return };
    let mqtt = format!("[mqtt.plant]\nhost = \"127.0.0.1\"\nport = {}\nlabels = \"truth/+\"\n", broker.port);
    let mut serving = Serving::start(&format!("{KEPT}{mqtt}"));
    serving.node.wait_said("the broker has the subscriptions");
    {
        let mut client = Client::of(&serving);
        for id in 0..4 {
            infer(&mut client, "scores", &class(&format!("r{id}"), &[id]));
        }
        told(&mut client, &json!({"id": "nobody", "value": 1}));
    }
    broker.send("truth/line-1", br#"{"id": "r0", "value": "one"}"#);
    wait_until("the label counts", || (labelled(&serving.project) == 1).then_some(()));
    // What is no label is told and does not hold up the next.
    broker.send("truth/line-1", b"{\"id\": \"r1\"}");
    broker.send("truth/line-1", &vec![b' '; (1 << 20) + 1]);
    broker.send("truth/line-2", br#"{"labels": [{"id": "r1", "value": {}}, {"id": "r1", "value": 1}]}"#);
    wait_until("the label counts", || (labelled(&serving.project) == 2).then_some(()));
    let said = serving.node.said();
    assert_eq!(said.matches("TS-1063").count(), 3, "{said}");
    assert!(said.contains("missing field `value`") && said.contains("1048577 bytes"), "{said}");
    // While the node is down the broker keeps them.
    serving.node.kill();
    broker.send("truth/line-1", br#"{"id": "r2", "value": 2}"#);
    serving.node = Node::start(serving.project.root());
    wait_until("the label counts", || (labelled(&serving.project) == 3).then_some(()));
    let version = accuracy(&serving, "scores")["versions"][0].clone();
    assert_eq!((&version["labelled"], &version["right"]), (&json!(3), &json!(3)), "{version}");
}
