//! Steps without grants: the same bytes at every run, whatever the box's clock and chance say.

use serde_json::Value;

use crate::support::{Project, project::step};

#[test]
fn a_step_without_grants_gives_the_same_output_at_every_run_at_the_same_logical_time() {
    let project = Project::new();
    project.misbehave("misbehave");
    let steps =
        |grants: &str| format!("steps:\n  a: {{ plugin: misbehave, with: {{ mode: deterministic }}{grants} }}\n");
    project.workflow("pure", &steps(""));
    project.workflow("impure", &steps(", allow: { clock: true, random: true }"));
    let run = |name: &str| -> (Value, Value) {
        let view: Value = project.run(&["run", name, "--json"]).ok().json();
        let report = step(&view, "a")["report"]["deterministic"].clone();
        (view["outputs"]["a"].clone(), report)
    };
    // Each run has an id and a time of its own, which the seed and the wall clock come from: the rest is the same.
    let parts = |output: &Value| ["nans", "narrow", "looks", "slept_ns", "elapsed_ns"].map(|key| output[key].clone());
    let (first, told) = run("pure");
    assert_eq!(told, true);
    let (second, _) = run("pure");
    assert_eq!(parts(&first), parts(&second));
    let (real, told) = run("impure");
    assert_eq!(told, Value::Null);
    assert_ne!(real["order"], run("impure").0["order"], "a real seed each time");
    assert!(real["slept_ns"].as_u64() >= Some(4_000_000), "{real:#}");
}
