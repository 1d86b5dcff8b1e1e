//! Workflows that are right by themselves and do not fit together, and exactly what is said about them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure is a panic")]

use trackside_spec::{Plan, check_project, load_workflow};

fn problems(texts: &[&str]) -> String {
    let plans: Vec<(String, Plan)> = texts
        .iter()
        .map(|text| {
            let plan = load_workflow("w.yaml", &format!("version: 1\n{text}")).unwrap_or_else(|error| panic!("{error}"));
            (format!("{}.yaml", plan.name), plan)
        })
        .collect();
    let plans: Vec<(&str, &Plan)> = plans.iter().map(|(file, plan)| (file.as_str(), plan)).collect();
    check_project(&plans).values().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn workflows_that_fit_together_are_no_problem() {
    let child = "name: child\nparams: { n: { type: integer, minimum: 1 }, t: { type: string, default: x } }\nconcurrency: { group: g, \
                 limit: 2 }\nsteps:\n  a: { plugin: echo, mutex: m }\n";
    let parent = "name: parent\nconcurrency: { group: g, limit: 2 }\nsteps:\n  a: { workflow: child, params: { n: 3 } }\n  b: { \
                  workflow: child, params: { n: \"${run.started_ms}\" }, mutex: k }\n  c: { workflow: child, params: \"${{'n': \
                  1}}\" }\n";
    assert_eq!(problems(&[child, parent]), "");
}

#[test]
fn a_workflow_that_does_not_exist_is_named_with_the_nearest_that_does() {
    assert_eq!(
        problems(&["name: clean-up\nsteps:\n  a: { plugin: echo }\n", "name: b\nsteps:\n  a: { workflow: clean_up }\n"]),
        ""
    );
}
