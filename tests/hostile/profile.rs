//! Steps without grants: the same bytes at every run, whatever the box's clock and chance say.

use std::process::Command;

use serde_json::Value;

use crate::support::{Project, command::BINARY, optional::not_run, project::step};

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

/// The emulator of another processor; what it runs is translated, no instruction of this one is used.
fn emulator(what: &str) -> Option<&'static str> {
    let name = "qemu-x86_64";
    if Command::new(name).arg("--version").output().is_ok_and(|told| told.status.success()) {
        return Some(name);
    }
    not_run("qemu", what, "no qemu-x86_64: install the package qemu-user");
    None
}

#[test]
fn another_processor_gives_the_same_output_and_counts_the_same_instructions() {
    if !cfg!(target_arch = "x86_64") {
        return;
    }
    let Some(emulator) = emulator("a step on another processor") else { return };
    let project = Project::new();
    // Nothing is expected, so that the test of the plugin prints what came.
    project.write("tests/all.yaml", "with: { mode: deterministic }\nseed: 7\nexpect: { output: {} }\n");
    project.misbehave("misbehave");
    let component = project.path("plugins/misbehave.wasm");
    let test = ["plugin", "test", "--json", "--component", component.to_str().unwrap(), "tests/all.yaml"];
    let told = |text: &[u8]| -> (Value, Value) {
        let told: Value = serde_json::from_slice(text).unwrap();
        (told[0]["differences"].clone(), told[0]["fuel"].clone())
    };
    let here = told(project.run(&test).exits(1).stdout.as_bytes());
    assert!(here.1.as_u64() > Some(100_000) && here.0[0].as_str().unwrap().contains("nans"), "{here:?}");
    // Of 2008, without AVX, FMA and the rest: other code is made for it.
    let there = Command::new(emulator)
        .args(["-cpu", "Nehalem", BINARY])
        .args(test)
        .current_dir(project.root())
        .output()
        .unwrap();
    assert_eq!(there.status.code(), Some(1), "{}", String::from_utf8_lossy(&there.stderr));
    assert_eq!(told(&there.stdout), here);
}
