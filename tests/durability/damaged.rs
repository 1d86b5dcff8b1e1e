//! Runs that cannot be read any more: told by every reader, ended with a reason, and nobody waits for them for ever.

use std::sync::Arc;

use serde_json::{Value, json};
use trackside_engine::{Command, Effect, Event, Parent, RunEnd, RunId, RunState};
use trackside_facts::{Entry, TriggerDocument};
use trackside_spec::{Digest, Plan, load_workflow};
use trackside_store::{Committer, Durability, Ended, NewRun, Txn, Write};

use crate::support::{Node, Project, project::step, wait_until};

const THEN_MS: i64 = 1_780_000_000_000;
const LEAF: &str = "version: 1\nname: leaf\nsteps:\n  work: { plugin: echo, with: { value: 1 } }\n";
const ABOVE: &str = "version: 1\nname: above\nsteps:\n  down: { workflow: leaf }\n";
const AFTER: &str = "version: 1\nname: after\ntriggers: [{ workflow: { name: leaf, on: [failed] } }]\nsteps:\n  \
                     tell: { plugin: echo, with: { value: \"${trigger.run.error}\" } }\n";
/// Cut off, as by a bad sector.
const DAMAGE: &str = "[{\"event\":\"step-started\",\"st";

fn plan(text: &str) -> Arc<Plan> {
    Arc::new(load_workflow("workflows/w.yaml", text).unwrap())
}

fn journal(run: RunId, events: &str, ended: Option<RunEnd>) -> Write {
    let ended = ended.map(|end| Ended { end, error: None });
    Write::Journal { run, at_ms: THEN_MS, entry: Entry::Json(events.to_owned()), ended }
}

/// The rows of a run that has begun, and what it wants.
fn begun(plan: &Arc<Plan>, run: RunId, parent: Option<Parent>) -> (Vec<Write>, Vec<Effect>, RunState) {
    let mut state = RunState::new(plan.clone(), run);
    let trigger = TriggerDocument::from_json(json!({ "kind": "manual", "id": format!("{}/manual", plan.name) }));
    let start = Command::Start { params: json!({}), trigger, logical_time_ms: THEN_MS, parent };
    let decision = state.handle(start, THEN_MS);
    let new = NewRun { run, plan: plan.clone(), trigger: "manual".to_owned(), started_ms: THEN_MS };
    let events = serde_json::to_string(&decision.events).unwrap();
    (vec![Write::Run(new), journal(run, &events, None)], decision.effects, state)
}

/// A definition with a key that only another version knows.
fn of_another_version(text: &str) -> Arc<Plan> {
    let mut other = Arc::into_inner(plan(text)).unwrap();
    other.source = text.replace("version: 1", "version: 1\nshape: another");
    other.digest = Digest::of(other.source.as_bytes());
    Arc::new(other)
}

/// A project in whose database a run waits for another one, of which the last entry is damaged.
fn waiting(ended: Option<RunEnd>) -> (Project, RunId, RunId) {
    family(&plan(ABOVE), &plan(LEAF), |leaf| vec![journal(leaf, DAMAGE, ended)])
}

/// A project in whose database a run of the first definition waits for one of the second, and more of that one.
fn family(
    above_plan: &Arc<Plan>,
    leaf_plan: &Arc<Plan>,
    more: impl Fn(RunId) -> Vec<Write>,
) -> (Project, RunId, RunId) {
    let project = Project::new();
    for (name, text) in [("leaf", LEAF), ("above", ABOVE), ("after", AFTER)] {
        project.write(&format!("workflows/{name}.yaml"), text);
    }
    std::fs::create_dir_all(project.path(".trackside")).unwrap();
    let mut committer = Committer::open(&project.path(".trackside"), Durability::Relaxed).unwrap();
    let above = RunId::next(None, THEN_MS, 7);
    let leaf = RunId::next(Some(above), THEN_MS, 7);
    let (mut writes, effects, mut state) = begun(above_plan, above, None);
    let parent = effects.iter().find_map(|effect| match effect {
        Effect::StartChild { parent, .. } => Some(*parent),
        _ => None,
    });
    let parent = parent.unwrap();
    let started = Command::ChildStarted { step: parent.step, item: None, attempt: parent.attempt, run: leaf };
    let events: Vec<Event> = state.handle(started, THEN_MS).events;
    writes.push(Write::Ledger {
        trigger: "workflow".to_owned(),
        identity: parent.key(),
        run: Some(leaf),
        path: String::new(),
        stat: String::new(),
        at_ms: THEN_MS,
    });
    writes.extend(begun(leaf_plan, leaf, Some(parent)).0);
    writes.push(journal(above, &serde_json::to_string(&events).unwrap(), None));
    writes.extend(more(leaf));
    committer.commit(&[Txn::of(writes)]).unwrap();
    drop(committer);
    hand_over(&project);
    (project, above, leaf)
}

/// The lock is free, but for a program that another test starts at this moment and that has it until it runs. A node waits for
/// that where the holder is dead, as this process is for it from now on.
fn hand_over(project: &Project) {
    project.write(".trackside/lock", "process 4194305\n");
}

/// What `runs list` says of it, once it has ended.
#[track_caller]
fn ended(project: &Project, run: RunId) -> Value {
    wait_until(&format!("run {run} ends"), || {
        let found = project.runs().into_iter().find(|row| row["run"] == run.to_string())?;
        (found["state"] != "running").then_some(found)
    })
}

#[test]
fn a_run_whose_journal_is_damaged_ends_with_a_reason_and_its_parent_does_not_wait() {
    let (project, above, leaf) = waiting(None);
    let node = project.serve();
    let row = ended(&project, leaf);
    let error = row["error"].as_str().unwrap();
    assert!(row["state"] == "failed" && error.contains("TS-0634") && error.contains("entry "), "{row:#}");
    let view = project.wait_end(&above.to_string());
    assert_eq!((&view["state"], &step(&view, "down")["error"]["code"]), (&"failed".into(), &"child-failed".into()));
    assert!(step(&view, "down")["error"]["message"].as_str().unwrap().contains("TS-0634"), "{view:#}");
    // Whoever waits for failures hears of this one.
    let after = wait_until("the follower runs", || project.runs().into_iter().find(|row| row["workflow"] == "after"));
    let told = project.wait_end(after["run"].as_str().unwrap());
    assert!(told["outputs"]["tell"]["value"].as_str().unwrap().contains("TS-0634"), "{told:#}");
    node.kill();
    // Once, and not at each start.
    std::fs::remove_file(project.path(".trackside-test/log")).unwrap();
    let node = project.serve();
    project.wait_runs(3);
    assert!(!node.said().contains("TS-0634"), "{}", node.said());
}

#[test]
fn a_run_whose_end_cannot_be_read_has_failed_for_its_parent() {
    let (project, above, _) = waiting(Some(RunEnd::Succeeded));
    let node: Node = project.serve();
    let view = project.wait_end(&above.to_string());
    assert_eq!(view["state"], "failed", "{view:#}");
    assert!(step(&view, "down")["error"]["message"].as_str().unwrap().contains("TS-0634"), "{view:#}");
    drop(node);
}

#[test]
fn every_reader_tells_a_damaged_entry_by_its_code_and_number() {
    let (project, _, leaf) = waiting(Some(RunEnd::Succeeded));
    let leaf = leaf.to_string();
    let readers: [&[&str]; 6] = [
        &["runs", "show", &leaf],
        &["runs", "logs", &leaf],
        &["replay", &leaf],
        &["explain", &leaf],
        &["plugin", "test", "--record", &leaf],
        // The last: it starts a node, which goes on with the other run.
        &["runs", "retry", &leaf],
    ];
    for command in readers {
        project.run(command).exits(3).says(&["error[TS-0205]", "entry 4 of run"]);
    }
    let verified = project.run(&["artifact", "verify", "--json"]).exits(1).json();
    let problems = verified["problems"].as_array().unwrap();
    assert!(problems.len() == 1 && problems[0]["entry"] == 4 && problems[0]["run"] == leaf, "{verified:#}");
    assert!(problems[0]["reason"].as_str().unwrap().contains("TS-0205"), "{verified:#}");
    project.run(&["artifact", "verify"]).exits(1).prints(&[&leaf, "TS-0205"]).says(&["1 problem"]);
}

#[test]
fn a_run_under_way_with_a_damaged_entry_is_not_paused() {
    let (project, _, leaf) = waiting(None);
    for command in ["pause", "resume"] {
        project.run(&["runs", command, &leaf.to_string()]).exits(3).says(&["error[TS-0205]", "entry 4 of run"]);
    }
    project.run(&["runs", "list", "--waiting"]).exits(3).says(&["error[TS-0205]", "entry 4 of run"]);
}

#[test]
fn a_run_of_a_definition_that_this_version_does_not_take_ends_with_a_reason() {
    let project = Project::new();
    project.write("workflows/leaf.yaml", LEAF);
    std::fs::create_dir_all(project.path(".trackside")).unwrap();
    let mut committer = Committer::open(&project.path(".trackside"), Durability::Relaxed).unwrap();
    let run = RunId::next(None, THEN_MS, 7);
    let writes = begun(&of_another_version(LEAF), run, None).0;
    committer.commit(&[Txn::of(writes)]).unwrap();
    drop(committer);
    hand_over(&project);
    let node = project.serve();
    let row = ended(&project, run);
    let error = row["error"].as_str().unwrap();
    assert!(error.contains("TS-0634") && error.contains("`shape`"), "{row:#}");
    let view = project.show(&run.to_string());
    assert_eq!(view["state"], "failed", "{view:#}");
    // The project itself is all right.
    project.run(&["run", "leaf"]).ok();
    drop(node);
}

#[test]
fn a_run_that_waits_for_one_of_another_version_fails_with_its_reason() {
    let (project, above, leaf) = family(&plan(ABOVE), &of_another_version(LEAF), |_| Vec::new());
    let node = project.serve();
    let row = ended(&project, leaf);
    assert!(row["error"].as_str().unwrap().contains("does not take its definition"), "{row:#}");
    let view = project.wait_end(&above.to_string());
    let error = &step(&view, "down")["error"];
    assert_eq!((&view["state"], &error["code"]), (&"failed".into(), &"child-failed".into()), "{view:#}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("TS-0634") && message.contains("`shape`"), "{view:#}");
    drop(node);
}

#[test]
fn a_run_that_one_of_another_version_waits_for_is_stopped() {
    let (project, above, leaf) = family(&of_another_version(ABOVE), &plan(LEAF), |_| Vec::new());
    let node = project.serve();
    let row = ended(&project, above);
    assert!(row["state"] == "failed" && row["error"].as_str().unwrap().contains("`shape`"), "{row:#}");
    let view = project.wait_end(&leaf.to_string());
    assert_eq!(view["state"], "cancelled", "{view:#}");
    assert!(view["cancelled_by"].as_str().unwrap().contains(&above.to_string()), "{view:#}");
    drop(node);
}

#[test]
fn a_database_with_a_damaged_page_is_not_called_whole() {
    let project = Project::new();
    project.workflow("hello", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.run(&["run", "hello"]).ok();
    // Whoever closes it last writes its log back into it.
    drop(Committer::open(&project.path(".trackside"), Durability::Full).unwrap());
    project.run(&["artifact", "verify"]).ok().says(&["0 problems"]);
    let file = project.path(".trackside/trackside.db");
    let whole = std::fs::read(&file).unwrap();
    // Its pages have 1 KiB; the first has the schema.
    for page in (1..whole.len() / 1024).step_by(7) {
        let mut bytes = whole.clone();
        bytes[page * 1024..page * 1024 + 600].fill(0xa5);
        std::fs::write(&file, bytes).unwrap();
        let ran = project.run(&["artifact", "verify"]);
        assert_ne!(ran.code(), 0, "page {page}: {ran:?}");
    }
}
