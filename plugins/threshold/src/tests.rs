//! The plugin as a whole, on the in-memory host.

use serde_json::{Value, json};
use trackside_sdk::{
    StepError,
    testing::{TestHost, description_problems},
};

use super::Plugin;

fn judge(input: Value) -> Result<Value, StepError> {
    TestHost::new().run::<Plugin>(input).map(|done| done.output().clone())
}

#[test]
fn it_is_well_described() {
    assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
}

#[test]
fn one_value_is_judged() {
    let high = judge(json!({"values": 0.9, "above": 0.85})).unwrap();
    assert_eq!(
        high,
        json!({"breach": true, "changed": true, "value": 0.9, "worst": 0.9, "worst_index": 0, "out_of_bounds": 1,
            "count": 1, "consecutive": 1})
    );
    assert_eq!(judge(json!({"values": 0.85, "above": 0.85})).unwrap()["breach"], false);
    assert_eq!(judge(json!({"values": -3, "below": 0})).unwrap()["breach"], true);
}

#[test]
fn a_list_is_judged_by_its_aggregate() {
    let list = json!([[1, 5], [3, -4]]);
    for (aggregate, value, breach) in [
        ("worst", json!(-4), true),
        ("max", json!(5), false),
        ("min", json!(-4), true),
        ("mean", json!(1.25), false),
        ("last", json!(-4), true),
        ("fraction", json!(0.25), true),
    ] {
        let found = judge(json!({"values": list, "above": 5, "below": -2, "aggregate": aggregate})).unwrap();
        assert_eq!((&found["value"], &found["breach"]), (&value, &json!(breach)), "{aggregate}");
        assert_eq!(found["worst_index"], 3);
    }
    let few = judge(json!({"values": list, "below": -2, "aggregate": "fraction", "fraction": 0.5})).unwrap();
    assert_eq!(few["breach"], false);
}

#[test]
fn hysteresis_keeps_a_breach_until_it_is_clearly_over() {
    let mut host = TestHost::new().with_state();
    let breaches: Vec<(Value, Value)> = [0.7, 0.9, 0.7, 0.5, 0.7]
        .iter()
        .map(|value| {
            let done = host.run::<Plugin>(json!({"values": value, "above": 0.85, "clear_above": 0.6})).unwrap();
            (done.output()["breach"].clone(), done.output()["changed"].clone())
        })
        .collect();
    let expected = [(false, false), (true, true), (true, false), (false, true), (false, false)];
    assert_eq!(breaches, expected.map(|(breach, changed)| (json!(breach), json!(changed))));
}

#[test]
fn several_in_a_row_may_be_needed() {
    let mut host = TestHost::new().with_state();
    let mut run = |value: f64| host.run::<Plugin>(json!({"values": value, "above": 1, "for": 2})).unwrap();
    assert_eq!(run(2.0).output()["breach"], false);
    assert_eq!(run(2.0).output()["breach"], true);
    assert_eq!(run(0.0).output()["breach"], false);
}

#[test]
fn looking_back_needs_the_grant_and_looking_once_does_not() {
    assert_eq!(judge(json!({"values": 1, "above": 0, "for": 2})).unwrap_err().code(), "denied");
    assert!(judge(json!({"values": 1, "above": 0, "for": 1})).is_ok());
}

#[test]
fn a_tensor_is_judged() {
    let header = br#"{"score":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} "#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.extend([1.0f32, 4.0].iter().flat_map(|value| value.to_le_bytes()));
    let mut host = TestHost::new().artifact("values", "s.safetensors", "application/vnd.safetensors", file.clone());
    let done = host.run::<Plugin>(json!({"above": 3})).unwrap();
    assert_eq!(done.output()["worst_index"], 1);
    file.truncate(file.len() - 1);
    let mut host = TestHost::new().artifact("values", "s.safetensors", "application/vnd.safetensors", file);
    assert_eq!(host.run::<Plugin>(json!({"above": 3})).unwrap_err().code(), "bad-tensor");
}

#[test]
fn slips_are_told() {
    for input in [
        json!({"values": 1}),
        json!({"values": [], "above": 1}),
        json!({"values": "high", "above": 1}),
        json!({"values": [1, null], "above": 1}),
        json!({"values": 1, "above": 1, "below": 2}),
        json!({"values": 1, "above": 1, "clear_above": 2}),
        json!({"values": 1, "above": 1, "clear_below": 0}),
        json!({"values": 1, "above": 1, "limit": 2}),
    ] {
        assert_eq!(judge(input.clone()).unwrap_err().code(), "bad-input", "{input}");
    }
    assert!(judge(json!({"values": [1, null], "above": 1, "missing": "ignore"})).is_ok());
}
