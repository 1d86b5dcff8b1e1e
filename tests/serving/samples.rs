//! Inputs that a label would teach most for are kept, within bounds, and leave the box when they go.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use crate::{
    Serving,
    feedback::{class, infer, sum, told},
    support::{Node, wait_until},
    wire::Client,
};

/// A request whose greatest score is this.
fn sure(id: &str, most: f64) -> Value {
    let rest = (1.0 - most) / 3.0;
    let data = [most, rest, rest, rest];
    json!({"id": id, "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": data}]})
}

fn listed(serving: &Serving) -> Vec<Value> {
    let ran = serving.project.run(&["samples", "list", "--json"]).ok();
    ran.json().as_array().unwrap().clone()
}

fn files(serving: &Serving) -> Vec<PathBuf> {
    let entries = fs::read_dir(serving.project.path(".trackside/samples")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn what_a_model_is_not_sure_of_is_kept_labelled_and_exported() {
    let serving = Serving::start("[models.scores.feedback]\n[models.scores.samples]\nconfidence = 0.5\n");
    let mut client = Client::of(&serving);
    infer(&mut client, "scores", &sure("certain", 0.9));
    infer(&mut client, "scores", &sure("guess", 0.4));
    infer(&mut client, "two", &sum("other", 0.2, 0.25));
    let samples = wait_until("the sample is kept", || Some(listed(&serving)).filter(|samples| !samples.is_empty()));
    assert_eq!(samples.len(), 1, "{samples:?}");
    let sample = &samples[0];
    assert_eq!(
        (&sample["request"], &sample["reason"], &sample["label"]),
        (&json!("guess"), &json!("confidence"), &json!(null))
    );
    assert_eq!(sample["answers"][0]["label"], "one");
    let id = sample["id"].as_str().unwrap();
    let page = serving.project.run(&["samples", "list"]).ok().stdout;
    assert!(page.contains(id) && page.contains("one (0.40)"), "{page}");
    let page = serving.project.run(&["samples", "show", id]).ok().stdout;
    assert!(page.contains("Request    guess") && page.contains(".safetensors"), "{page}");
    // Its request's label is its own; one of the sample alone counts for no accuracy, and goes first.
    told(&mut client, &json!({"id": "guess", "value": "two"}));
    assert_eq!(listed(&serving)[0]["label"], "two");
    let ran = serving.project.run(&["samples", "label", id, "three"]).ok();
    assert!(ran.stderr.contains("is labelled"), "{}", ran.stderr);
    assert_eq!(listed(&serving)[0]["label"], "three");
    let accuracy = serving.project.run(&["model", "accuracy", "scores", "--json"]).ok().json();
    assert_eq!(accuracy["versions"][0]["labelled"], 1);
    let folder = serving.project.path("hard");
    let to = folder.to_str().unwrap();
    let exported = serving.project.run(&["samples", "export", to, "--labelled", "--json"]).ok().json();
    assert_eq!((&exported["samples"], &exported["labelled"]), (&json!(1), &json!(1)));
    let line: Value = serde_json::from_str(serving.project.read("hard/samples.jsonl").trim()).unwrap();
    assert_eq!((&line["id"], &line["label"]), (&json!(id), &json!("three")));
    let inputs = fs::read(folder.join(line["inputs"].as_str().unwrap())).unwrap();
    assert!(holds(&inputs, "\"x\"") && holds(&inputs, "F32"));
    let ran = serving.project.run(&["samples", "export", to]);
    assert!(ran.code() == 2 && ran.stderr.contains("TS-1061"), "{}", ran.stderr);
    for (arguments, code) in
        [(&["samples", "show", "no"][..], "TS-1060"), (&["samples", "label", "no", "1"], "TS-1060")]
    {
        let ran = serving.project.run(arguments);
        assert!(ran.code() == 2 && ran.stderr.contains(code), "{}", ran.stderr);
    }
    let ran = serving.project.run(&["samples", "label", id, "null"]).ok();
    assert!(ran.stderr.contains("\\\"null\\\"") || ran.stderr.contains("\"null\""), "{}", ran.stderr);
    // Without a node, too.
    serving.node.terminate();
    serving.project.run(&["samples", "label", id, "four"]).ok();
    let ran = serving.project.run(&["samples", "list", "--json"]).ok();
    assert_eq!(ran.json()[0]["label"], "four");
}

#[test]
fn what_is_left_out_never_reaches_the_disk_and_a_wrong_name_keeps_nothing() {
    let config = "[models.two.samples]\nconfidence = 1\nredact = [\"a\"]\n[models.scores.samples]\nconfidence = 1\nredact = [\"y\"]\n";
    let serving = Serving::start(config);
    let mut client = Client::of(&serving);
    infer(&mut client, "scores", &sure("none", 0.4));
    infer(&mut client, "two", &sum("some", 0.2, 0.25));
    let samples = wait_until("the sample is kept", || Some(listed(&serving)).filter(|samples| !samples.is_empty()));
    assert_eq!((samples.len(), &samples[0]["redacted"]), (1, &json!(["a"])), "{samples:?}");
    let bytes = fs::read(&files(&serving)[0]).unwrap();
    assert!(holds(&bytes, "\"b\"") && !holds(&bytes, "\"a\""));
    let value = 0.2_f32.to_le_bytes();
    assert!(!bytes.windows(4).any(|part| part == value));
    serving.node.wait_said("no samples are kept of requests without the inputs that `redact`");
}

#[test]
fn the_ring_is_bounded_and_what_goes_is_gone_from_the_disk() {
    let config = "[models.scores.samples]\nconfidence = 1\nrate = 600\nbytes = \"1KiB\"\nlargest = \"64B\"\n";
    let mut serving = Serving::start(config);
    let mut client = Client::of(&serving);
    for number in 0..20 {
        infer(&mut client, "scores", &sure(&format!("r{number}"), 0.4));
        // Larger than one may be.
        infer(&mut client, "scores", &class(&format!("large{number}"), &[0; 5]));
    }
    let newest = |samples: &[Value]| samples.iter().any(|sample| sample["request"] == "r19");
    let samples = wait_until("the last sample is kept", || Some(listed(&serving)).filter(|samples| newest(samples)));
    assert!(samples.iter().all(|sample| sample["request"].as_str().unwrap().starts_with('r')), "{samples:?}");
    let bytes: u64 = samples.iter().map(|sample| sample["bytes"].as_u64().unwrap()).sum();
    assert!(bytes <= 1024 && samples.len() >= 3, "{samples:?}");
    wait_until("files of those that went are gone", || (files(&serving).len() == samples.len()).then_some(()));
    let on_disk: u64 = files(&serving).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert_eq!(on_disk, bytes);
    // What a crash leaves is swept, what is kept stays.
    serving.node.kill();
    serving.project.write(".trackside/samples/0.safetensors", "left");
    serving.project.write(".trackside/samples/.tmp1", "left");
    serving.node = Node::start(serving.project.root());
    wait_until("what was left is gone", || (files(&serving).len() == samples.len()).then_some(()));
    assert_eq!(listed(&serving).len(), samples.len());
}

#[test]
fn no_more_are_kept_of_a_minute_than_is_said_and_none_where_nothing_is_said() {
    let serving = Serving::start("[models.scores.samples]\nconfidence = 1\nrate = 2\n");
    let mut client = Client::of(&serving);
    for number in 0..20 {
        infer(&mut client, "scores", &sure(&format!("r{number}"), 0.4));
        infer(&mut client, "two", &sum("other", 0.2, 0.25));
    }
    let samples = wait_until("two are kept", || Some(listed(&serving)).filter(|samples| samples.len() >= 2));
    assert_eq!(samples.len(), 2, "{samples:?}");
    // The node's end keeps what waits.
    serving.node.terminate();
    let ran = serving.project.run(&["samples", "list", "--json"]).ok();
    assert_eq!(ran.json().as_array().unwrap().len(), 2);
}
