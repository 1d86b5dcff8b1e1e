//! Which version of every workflow is used.

use std::{path::PathBuf, sync::Arc};

use trackside_spec::{NodeConfig, Plan, load_workflow};

use super::{
    InUse,
    fit::{Fitted, fit},
    folder::Files,
};
use crate::project::WorkflowReason;

const STEP: &str = "steps:\n  a: { plugin: echo, with: { value: 1 } }\n";

fn read(file: &str, text: &str) -> Result<Arc<Plan>, WorkflowReason> {
    load_workflow(file, text).map(Arc::new).map_err(WorkflowReason::Spec)
}

fn text(name: &str, rest: &str) -> String {
    format!("version: 1\nname: {name}\n{rest}")
}

fn files(files: &[(&str, String)]) -> Files {
    files.iter().map(|(file, text)| (PathBuf::from(file), read(file, text))).collect()
}

fn in_use(files: &[(&str, String)]) -> InUse {
    let one = |(file, text): &(&str, String)| (PathBuf::from(file), read(file, text).unwrap());
    files.iter().map(one).collect()
}

fn fitted(now: &[(&str, String)], last: &InUse) -> Fitted {
    fit(files(now), last, &NodeConfig::default(), None)
}

/// The answer of [`seen`].
type Seen<'f> = (Vec<(&'f str, usize)>, Vec<(&'f str, bool)>);

/// Name and step count of what is used, and the files with problems and whether an older version goes on.
fn seen(fitted: &Fitted) -> Seen<'_> {
    let used = fitted.workflows.iter().map(|(name, (_, plan))| (name.as_str(), plan.steps.len())).collect();
    let of = |problem: &'_ crate::project::WorkflowProblem| problem.kept.is_some();
    let problems = fitted.problems.iter().map(|problem| (problem.file.to_str().unwrap(), of(problem))).collect();
    (used, problems)
}

const TWO_STEPS: &str =
    "steps:\n  a: { plugin: echo, with: { value: 1 } }\n  b: { plugin: echo, with: { value: 1 }, needs: [a] }\n";

fn calls(name: &str) -> String {
    format!("steps:\n  call: {{ workflow: {name} }}\n")
}

#[test]
fn a_file_that_is_not_right_any_more_keeps_its_last_good_version_and_the_others_go_on() {
    let last = in_use(&[("a.yaml", text("a", STEP)), ("b.yaml", text("b", STEP))]);
    let fitted = fitted(&[("a.yaml", "version: 1\nnam".to_owned()), ("b.yaml", text("b", TWO_STEPS))], &last);
    assert_eq!(seen(&fitted), (vec![("a", 1), ("b", 2)], vec![("a.yaml", true)]));
}

#[test]
fn a_new_file_that_is_not_right_is_not_used() {
    let fitted = fitted(&[("a.yaml", "name: a\n".to_owned())], &InUse::new());
    assert_eq!(seen(&fitted), (vec![], vec![("a.yaml", false)]));
}

#[test]
fn two_files_that_go_together_are_taken_up_when_both_are_there() {
    let call = "steps:\n  call: { workflow: b, params: { n: 1 } }\n";
    let last = in_use(&[("a.yaml", text("a", &calls("b"))), ("b.yaml", text("b", STEP))]);
    // The caller first: the parameter is not there yet.
    let half = fitted(&[("a.yaml", text("a", call)), ("b.yaml", text("b", STEP))], &last);
    assert_eq!(seen(&half).1, [("a.yaml", true)]);
    assert_eq!(half.workflows["a"].1.digest, last[0].1.digest);
    let with_param = format!("params:\n  n: {{ type: integer }}\n{STEP}");
    let whole = fitted(&[("a.yaml", text("a", call)), ("b.yaml", text("b", &with_param))], &last);
    assert_eq!(seen(&whole), (vec![("a", 1), ("b", 1)], vec![]));
    // The other one first: it would break the caller, which has not changed.
    let other = fitted(&[("a.yaml", text("a", &calls("b"))), ("b.yaml", text("b", &with_param))], &last);
    assert_eq!(seen(&other).1, [("b.yaml", true)]);
    assert!(other.problems[0].reason.to_string().starts_with("[TS-0624]"), "{}", other.problems[0].reason);
    assert_eq!(other.workflows["b"].1.digest, last[1].1.digest);
}

#[test]
fn a_workflow_that_others_need_is_not_taken_out_and_what_has_nothing_to_do_with_it_is_taken_up() {
    let last = in_use(&[("a.yaml", text("a", &calls("b"))), ("b.yaml", text("b", STEP)), ("c.yaml", text("c", STEP))]);
    let now = fitted(&[("a.yaml", text("a", &calls("b"))), ("c.yaml", text("c", TWO_STEPS))], &last);
    assert_eq!(seen(&now), (vec![("a", 1), ("b", 1), ("c", 2)], vec![("b.yaml", true)]));
    let without = fitted(&[("c.yaml", text("c", STEP))], &last);
    assert_eq!(seen(&without), (vec![("c", 1)], vec![]));
}

#[test]
fn a_file_with_another_name_is_the_same_workflow() {
    let last = in_use(&[("a.yaml", text("a", STEP))]);
    let moved = fitted(&[("z.yaml", text("a", STEP))], &last);
    assert_eq!(seen(&moved), (vec![("a", 1)], vec![]));
    assert_eq!(moved.workflows["a"].0, PathBuf::from("z.yaml"));
    // A copy does not take the name away, wherever it stands in the alphabet.
    let last = in_use(&[("m.yaml", text("a", STEP))]);
    let copied = fitted(&[("b.yaml", text("a", TWO_STEPS)), ("m.yaml", text("a", STEP))], &last);
    assert_eq!(seen(&copied), (vec![("a", 1)], vec![("b.yaml", false)]));
}

#[test]
fn two_workflows_may_change_places() {
    let last = in_use(&[("a.yaml", text("a", STEP)), ("b.yaml", text("b", TWO_STEPS))]);
    let now = fitted(&[("a.yaml", text("b", TWO_STEPS)), ("b.yaml", text("a", STEP))], &last);
    assert_eq!(seen(&now), (vec![("a", 1), ("b", 2)], vec![]));
    assert_eq!(now.workflows["a"].0, PathBuf::from("b.yaml"));
}

#[test]
fn a_changed_trigger_that_can_not_work_is_not_taken_up_and_one_of_a_new_file_starts_nothing() {
    let follow = |other: &str| format!("triggers: [{{ workflow: {{ name: {other} }} }}]\n{STEP}");
    let last = in_use(&[("a.yaml", text("a", STEP)), ("b.yaml", text("b", &follow("a")))]);
    let changed = fitted(&[("a.yaml", text("a", STEP)), ("b.yaml", text("b", &follow("nobody")))], &last);
    assert_eq!(seen(&changed).1, [("b.yaml", true)]);
    assert_eq!(changed.workflows["b"].1.digest, last[1].1.digest);
    // What is followed is not taken out.
    let gone = fitted(&[("b.yaml", text("b", &follow("a")))], &last);
    assert_eq!(seen(&gone), (vec![("a", 1), ("b", 1)], vec![("a.yaml", true)]));
    let new = fitted(&[("b.yaml", text("b", &follow("nobody")))], &InUse::new());
    assert_eq!(seen(&new), (vec![("b", 1)], vec![("b.yaml", false)]));
}

#[test]
fn a_changed_workflow_waits_for_its_plugin() {
    let last = in_use(&[("a.yaml", text("a", STEP))]);
    let missing = |name: &str| (name == "ghost").then(|| "[TS-0601] there is no plugin `ghost`".to_owned());
    let with_ghost = || files(&[("a.yaml", text("a", "steps:\n  a: { plugin: ghost }\n"))]);
    let now = fit(with_ghost(), &last, &NodeConfig::default(), Some(&missing));
    assert_eq!(seen(&now).1, [("a.yaml", true)]);
    assert_eq!(now.workflows["a"].1.digest, last[0].1.digest);
    assert_eq!(seen(&fit(with_ghost(), &last, &NodeConfig::default(), Some(&|_| None))).1, []);
    // A new one is used as far as it goes.
    let new = fit(with_ghost(), &InUse::new(), &NodeConfig::default(), Some(&missing));
    assert_eq!(seen(&new), (vec![("a", 1)], vec![]));
}

#[test]
fn what_can_not_be_used_with_another_config_or_program_is_left_out_in_the_end() {
    // Both were in use and do not go together: nothing has changed that could be taken back.
    let last = in_use(&[("a.yaml", text("a", &calls("b")))]);
    let now = fitted(&[("a.yaml", text("a", &calls("b")))], &last);
    assert_eq!(seen(&now), (vec![], vec![("a.yaml", false)]));
}
