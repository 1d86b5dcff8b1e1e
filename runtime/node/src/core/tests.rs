//! What the simulation has found, one by one.

use std::sync::{Arc, mpsc::channel};

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use trackside_engine::{Event, RunId, RunState};
use trackside_facts::{DriftAlarm, TriggerDocument};
use trackside_spec::{Plan, TriggerKind, load_workflow};
use trackside_store::{CommitReport, LedgerRow, StoreError, Txn, Write};
use trackside_triggers::cron::CronEntry;

use super::{Action, Core, CoreSettings, Fire, FireAnswer, History, Input, PastEnd, Revived, StepJob, StepResult};

const MINUTE: i64 = 60_000;
const NOW: i64 = 1_800_000_000_000;

/// Nothing is on disk.
struct Blank;

impl History for Blank {
    fn ledger(&self, _: &str, _: &str) -> Result<Option<LedgerRow>, StoreError> {
        Ok(None)
    }

    fn end_of(&self, _: RunId) -> Result<Option<PastEnd>, StoreError> {
        Ok(None)
    }
}

/// A core, and what it has asked for.
struct Desk {
    core: Core,
    plans: Vec<Arc<Plan>>,
    txns: Vec<Txn>,
    jobs: Vec<StepJob>,
}

impl Desk {
    fn new(max_steps: usize, workflows: &[&str]) -> Self {
        let settings = CoreSettings { max_steps, max_runs: 100, max_documents: 1 << 20 };
        let mut core = Core::new(settings, Box::new(Blank), Box::new(|| 7));
        let load = |text: &&str| Arc::new(load_workflow("w.yaml", &format!("version: 1\n{text}")).unwrap());
        let plans: Vec<Arc<Plan>> = workflows.iter().map(load).collect();
        plans.iter().for_each(|plan| core.add_workflow(plan.clone()));
        Self { core, plans, txns: Vec::new(), jobs: Vec::new() }
    }

    /// Adds the schedules of all workflows, as they stand at [`NOW`].
    fn with_schedules(mut self) -> Self {
        for trigger in self.plans.clone().iter().flat_map(|plan| &plan.triggers) {
            let TriggerKind::Cron(cron) = &trigger.kind else { continue };
            let entry = CronEntry::new(&trigger.id, cron, "box").unwrap();
            self.core.add_schedule(entry, trigger.id.clone(), Some(NOW), NOW);
        }
        self.up()
    }

    /// All that was under way is there again.
    fn up(mut self) -> Self {
        let actions = self.core.recovered(NOW);
        self.take(actions);
        self
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Submit(txn) => self.txns.push(txn),
                Action::Execute(job) => self.jobs.push(*job),
                Action::Call(call) => call(),
                _ => {}
            }
        }
    }

    fn give(&mut self, input: Input, now: i64) {
        let actions = self.core.handle(input, now);
        self.take(actions);
    }

    fn fire(&mut self, workflow: &str) {
        let answer = self.offer(workflow, json!({ "kind": "manual" }));
        assert_eq!(answer, None, "it waits for the disk");
    }

    /// A wish to start a run. It is answered at once only when it is refused.
    fn offer(&mut self, workflow: &str, trigger: Value) -> Option<FireAnswer> {
        let fire = Fire {
            workflow: workflow.into(),
            kind: "manual",
            trigger: TriggerDocument::from_json(trigger),
            params: Map::new(),
            logical_time_ms: NOW,
            ledger: Vec::new(),
            artifacts: Vec::new(),
            hold: None,
            rows: Vec::new(),
        };
        let (sender, answers) = channel();
        let reply = Box::new(move |answer| drop(sender.send(answer)));
        self.give(Input::Fire(Box::new(fire), reply), NOW);
        answers.try_recv().ok()
    }

    /// Everything is on disk.
    fn commit(&mut self, now: i64) {
        self.give(Input::Store(CommitReport::Committed(self.core.submitted())), now);
    }

    /// The run with the events so far, as a start finds it.
    fn revive(&self, plan: usize, run: i64, events: &[Event]) -> Revived {
        let mut state = RunState::new(self.plans[plan].clone(), RunId::from_i64(run));
        events.iter().for_each(|event| state.apply(event, NOW).unwrap());
        Revived { state, entries: 1 }
    }

    fn recover(&mut self, revived: Revived, now: i64) {
        let actions = self.core.recover(revived, 0, now);
        self.take(actions);
    }
}

fn started() -> Event {
    let trigger = TriggerDocument::from_json(json!({ "kind": "manual" }));
    Event::Started { params: json!({}), trigger, logical_time_ms: NOW, parent: None }
}

fn name(write: &Write) -> &'static str {
    match write {
        Write::Run(_) => "run",
        Write::Position { .. } => "position",
        Write::CronQueued { .. } => "queued",
        Write::CronDequeued { .. } => "dequeued",
        _ => "other",
    }
}

#[test]
fn the_positions_of_schedules_are_in_one_transaction_with_all_their_runs() {
    let mut desk = Desk::new(
        4,
        &[
            "name: a\ntriggers: [{ cron: { every: 1m } }]\nsteps: { s: { plugin: echo } }",
            "name: b\ntriggers: [{ cron: { every: 1m } }]\nsteps: { s: { plugin: echo } }",
        ],
    )
    .with_schedules();
    desk.give(Input::Wake, NOW + MINUTE);
    let with: Vec<(usize, usize)> = desk
        .txns
        .iter()
        .map(|txn| {
            let count = |what| txn.writes.iter().filter(|write| name(write) == what).count();
            (count("position"), count("run"))
        })
        .filter(|counts| *counts != (0, 0))
        .collect();
    assert_eq!(with, [(2, 2)], "a crash between two transactions would lose a run for good");
}

/// An alarm, with the row that says so; gives whether it was taken, once that is known.
fn alarm(desk: &mut Desk, turn: &'static str) -> std::sync::mpsc::Receiver<bool> {
    let alarm = DriftAlarm {
        name: "pump".into(),
        kind: "model",
        version: Some(1),
        turn,
        window: 7,
        columns: vec!["t".into()],
        words: "t: median from 1 to 2".into(),
    };
    let (sender, told) = channel();
    let reply = Box::new(move |taken| sender.send(taken).unwrap());
    let row = Write::Position { trigger: "what is watched".into(), position_ms: 1 };
    desk.give(Input::Drift(vec![row], vec![("drift:1".into(), alarm)], reply), NOW);
    told
}

#[test]
fn an_alarm_is_in_one_transaction_with_the_runs_that_it_starts_and_in_none_while_there_is_no_room() {
    let steps = "steps: { s: { plugin: echo } }";
    let mut desk = Desk::new(
        4,
        &[
            &format!("name: a\ntriggers: [{{ drift: pump }}]\n{steps}"),
            &format!("name: b\ntriggers: [{{ drift: {{ name: pump, on: [cleared] }} }}]\n{steps}"),
            &format!("name: c\ntriggers: [{{ drift: other }}]\n{steps}"),
            &format!("name: d\ntriggers: [{{ drift: {{ name: pump, on: [raised, cleared] }} }}]\n{steps}"),
        ],
    );
    for (plan, trigger) in desk.plans.clone().iter().flat_map(|plan| plan.triggers.iter().map(move |one| (plan, one))) {
        desk.core.add_follower(&plan.name, trigger);
    }
    let mut desk = desk.up();
    let told = alarm(&mut desk, "raised");
    let with: Vec<Vec<&str>> =
        desk.txns.iter().map(|txn| txn.writes.iter().map(name).filter(|name| *name != "other").collect()).collect();
    assert_eq!(with, [vec!["position", "run", "run"]], "what is said, and the runs of `a` and `d`");
    assert!(told.try_recv().is_err(), "nothing is so before it is on disk");
    desk.commit(NOW);
    assert!(told.try_recv().unwrap());
    // No room for more runs: nothing is written, and whoever tells of it comes again.
    (0..98).for_each(|_| desk.fire("c"));
    desk.txns.clear();
    let told = alarm(&mut desk, "cleared");
    assert!(desk.txns.is_empty() && !told.try_recv().unwrap());
}

#[test]
fn times_of_a_paused_schedule_leave_no_row_in_its_queue() {
    let mut desk = Desk::new(
        4,
        &["name: a\ntriggers: [{ cron: { every: 1m, misfire: all, overlap: queue } }]\nsteps: { s: { plugin: echo } }"],
    )
    .with_schedules();
    desk.core.restore_pauses(["a/cron-0".to_owned()]);
    desk.give(Input::Wake, NOW + 5 * MINUTE);
    let writes: Vec<&str> = desk.txns.iter().flat_map(|txn| &txn.writes).map(name).filter(|n| *n != "other").collect();
    assert_eq!(writes.iter().filter(|write| **write == "queued").count(), 4, "{writes:?}");
    assert_eq!(writes.iter().filter(|write| **write == "dequeued").count(), 4, "{writes:?}");
    let last_queued = writes.iter().rposition(|write| *write == "queued");
    let first_dequeued = writes.iter().position(|write| *write == "dequeued");
    assert!(last_queued < first_dequeued, "a row that comes after its removal stays: {writes:?}");
}

#[test]
fn a_time_whose_run_is_not_on_disk_yet_is_not_run_again_when_the_clock_comes_back() {
    let text = "name: a\ntriggers: [{ cron: { schedule: '* * * * *', misfire: all } }]\nsteps: { s: { plugin: echo } }";
    let mut desk = Desk::new(4, &[text]).with_schedules();
    for now in [NOW + MINUTE, NOW + 2 * MINUTE, NOW - 25 * 60 * MINUTE, NOW + MINUTE + 1_000] {
        desk.give(Input::Wake, now);
    }
    let time = format!("at:{}", NOW + MINUTE);
    let is_it = |write: &&Write| matches!(write, Write::Ledger { identity, .. } if *identity == time);
    assert_eq!(desk.txns.iter().flat_map(|txn| &txn.writes).filter(is_it).count(), 1, "one run for each time");
}

#[test]
fn a_run_whose_time_in_the_queue_was_over_at_a_start_leaves_no_place_taken() {
    let text = "name: a\nconcurrency: { group: g }\nqueue_timeout: 1m\nsteps: { s: { plugin: echo } }";
    let mut desk = Desk::new(4, &[text]);
    let waiting = desk.revive(0, 1, &[started(), Event::Queued { group: "g".into() }]);
    desk.recover(waiting, NOW + 5 * MINUTE);
    let mut desk = desk.up();
    desk.commit(NOW + 5 * MINUTE);
    assert_eq!(desk.core.live_runs(), 0);
    let left: Vec<_> = desk.core.left_over().into_iter().filter(|(_, size)| *size > 0).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_step_that_is_another_run_has_its_mutex_before_an_older_run_that_waits_for_it() {
    let mut desk = Desk::new(
        4,
        &[
            "name: waits\nsteps: { s: { plugin: echo, mutex: arm } }",
            "name: has\nsteps: { s: { workflow: child, mutex: arm } }",
            "name: child\nsteps: { s: { plugin: echo } }",
        ],
    );
    let (step, item) = (trackside_spec::StepIndex(0), None);
    let queued = Event::StepQueued { step, item, mutex: "arm".into() };
    let waits = desk.revive(0, 1, &[started(), queued.clone()]);
    let has = desk.revive(1, 2, &[started(), queued, Event::StepStarted { step, item, attempt: 1 }]);
    desk.recover(waits, NOW);
    desk.recover(has, NOW);
    let mut desk = desk.up();
    desk.give(Input::Wake, NOW);
    desk.commit(NOW);
    let running: Vec<&str> = desk.jobs.iter().map(|job| job.plan.name.as_str()).collect();
    assert_eq!(running, ["child"], "the older run must wait for the arm");
}

#[test]
fn the_inputs_of_a_child_that_was_stopped_before_its_turn_are_not_looked_at() {
    let text = "name: a\nparams: { l: { type: array, default: [1] } }\nsteps:\n  s: { workflow: child, requires: [{ of: '${params.l}', name: l, rows: { minimum: 1 } }] }";
    let mut desk = Desk::new(
        1,
        &["name: first\nsteps: { s: { plugin: echo } }", text, "name: child\nsteps: { s: { plugin: echo } }"],
    )
    .up();
    desk.fire("first");
    desk.fire("a");
    assert_eq!(desk.jobs.len(), 1, "there is room for one");
    let run = desk.core.last_run().unwrap();
    desk.give(Input::Cancel { run, by: "me".into(), reply: Box::new(|live| assert!(live)) }, NOW);
    let first = desk.jobs.pop().unwrap();
    let error = trackside_engine::StepError::fatal("no", "no");
    let result = StepResult::failed((first.run, first.step, None), 1, error);
    desk.give(Input::StepDone(Box::new(result)), NOW);
    assert!(desk.jobs.is_empty(), "the step was over: {:?}", desk.jobs);
}

/// Ends the newest run.
fn end_one(desk: &mut Desk, now: i64) {
    let run = desk.core.last_run().unwrap();
    desk.give(Input::Cancel { run, by: "me".into(), reply: Box::new(|live| assert!(live)) }, now);
    desk.commit(now);
}

#[test]
fn times_that_come_to_a_full_house_wait_for_room_and_do_not_wake_the_node_for_nothing() {
    let mut desk = Desk::new(
        1,
        &[
            "name: w\nsteps: { s: { plugin: echo } }",
            "name: tick\ntriggers: [{ cron: { every: 1m } }]\nsteps: { s: { plugin: echo } }",
        ],
    )
    .with_schedules();
    (0..100).for_each(|_| desk.fire("w"));
    desk.commit(NOW);
    desk.give(Input::Wake, NOW + MINUTE);
    assert_eq!((desk.core.live_runs(), desk.core.next_deadline()), (100, None));
    end_one(&mut desk, NOW + MINUTE);
    assert_eq!(desk.core.next_deadline(), Some(NOW + MINUTE), "there is room, and a time that has come");
    desk.give(Input::Wake, NOW + MINUTE);
    assert_eq!(desk.core.live_runs(), 100);
    assert!(
        desk.txns
            .iter()
            .flat_map(|txn| &txn.writes)
            .any(|write| matches!(write, Write::Run(new) if new.trigger == "cron"))
    );
}

#[test]
fn runs_that_hold_large_documents_leave_no_room_for_others_until_they_are_over() {
    let mut desk = Desk::new(1, &["name: w\nsteps: { s: { plugin: echo } }"]).up();
    // 60 KiB of text, and a megabyte in memory.
    let payload: Value = serde_json::from_str(&format!("[{}1]", "1,".repeat(30_000))).unwrap();
    let large = || json!({ "kind": "webhook", "payload": payload.clone() });
    assert_eq!(desk.offer("w", large()), None);
    assert_eq!(desk.offer("w", large()), Some(FireAnswer::Busy));
    assert_eq!(desk.offer("w", json!({ "kind": "manual" })), Some(FireAnswer::Busy));
    // The one that runs is not stopped on the spot: its executor ends it.
    let job = desk.jobs.pop().unwrap();
    let result = StepResult::failed((job.run, job.step, None), 1, trackside_engine::StepError::fatal("no", "no"));
    desk.give(Input::StepDone(Box::new(result)), NOW);
    desk.commit(NOW);
    assert_eq!(desk.offer("w", large()), None);
}

/// Somebody waits for the end of a run that they ask for.
fn fire_and_wait(desk: &mut Desk, workflow: &str) -> oneshot::Receiver<Arc<PastEnd>> {
    let fire = Fire {
        workflow: workflow.into(),
        kind: "manual",
        trigger: TriggerDocument::from_json(json!({ "kind": "manual" })),
        params: Map::new(),
        logical_time_ms: NOW,
        ledger: Vec::new(),
        artifacts: Vec::new(),
        hold: None,
        rows: Vec::new(),
    };
    let (waiter, end) = oneshot::channel();
    desk.give(Input::FireAndWait(Box::new(fire), Box::new(|_| {}), waiter), NOW);
    end
}

/// The newest job is done.
fn succeed(desk: &mut Desk) {
    let job = desk.jobs.pop().unwrap();
    let error = trackside_engine::StepError::fatal("no", "no");
    let failed = StepResult::failed((job.run, job.step, None), 1, error);
    let outcome = trackside_engine::Outcome::Succeeded(json!({ "value": 7 }));
    desk.give(Input::StepDone(Box::new(StepResult { outcome, ..failed })), NOW);
}

#[test]
fn an_end_is_told_with_its_outputs_when_it_is_on_disk_and_not_before() {
    let text = "name: w\nsteps: { s: { plugin: echo } }\noutputs: { n: '${steps.s.value}' }";
    let mut desk = Desk::new(1, &[text]).up();
    let mut first = fire_and_wait(&mut desk, "w");
    let run = desk.core.last_run().unwrap();
    desk.commit(NOW);
    let (waiter, mut second) = oneshot::channel();
    desk.give(Input::Wait(run, waiter), NOW);
    succeed(&mut desk);
    // Its end is decided, and nobody may hear of it.
    let (waiter, mut third) = oneshot::channel();
    desk.give(Input::Wait(run, waiter), NOW);
    for waits in [&mut first, &mut second, &mut third] {
        assert_eq!(waits.try_recv().unwrap_err(), oneshot::error::TryRecvError::Empty);
    }
    desk.commit(NOW);
    for mut waits in [first, second, third] {
        let end = waits.try_recv().unwrap();
        assert_eq!((end.end, &end.outputs), (trackside_engine::RunEnd::Succeeded, &json!({ "n": 7 })));
    }
    let (waiter, mut late) = oneshot::channel();
    desk.give(Input::Wait(run, waiter), NOW);
    assert_eq!(late.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed, "the store knows it");
    assert_eq!(desk.core.left_over().iter().map(|(_, size)| size).sum::<usize>(), 0);
}

#[test]
fn a_run_that_is_over_with_its_first_transaction_is_told_to_who_waits_for_it() {
    let mut desk = Desk::new(1, &["name: w\nsteps: { s: { plugin: echo, when: 'false' } }"]).up();
    let mut end = fire_and_wait(&mut desk, "w");
    assert_eq!(end.try_recv().unwrap_err(), oneshot::error::TryRecvError::Empty, "nothing is on disk");
    desk.commit(NOW);
    assert_eq!(end.try_recv().unwrap().end, trackside_engine::RunEnd::Succeeded);
}

#[test]
fn who_waits_for_a_run_waits_for_no_run_that_this_one_starts() {
    let texts = ["name: w\nsteps: { s: { workflow: child } }", "name: child\nsteps: { s: { plugin: echo } }"];
    let mut desk = Desk::new(1, &texts).up();
    let mut end = fire_and_wait(&mut desk, "w");
    desk.commit(NOW);
    succeed(&mut desk);
    desk.commit(NOW);
    let end = end.try_recv().unwrap();
    assert_eq!((end.end, desk.core.live_runs()), (trackside_engine::RunEnd::Succeeded, 0));
}

#[test]
fn nobody_is_kept_waiting_for_what_is_refused_and_who_has_left_is_forgotten() {
    let mut desk = Desk::new(1, &["name: w\nsteps: { s: { plugin: echo } }"]).up();
    let mut refused = fire_and_wait(&mut desk, "no-such");
    assert_eq!(refused.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
    desk.fire("w");
    let run = desk.core.last_run().unwrap();
    for _ in 0..10_000 {
        let (waiter, _) = oneshot::channel();
        desk.give(Input::Wait(run, waiter), NOW);
    }
    let waiting = desk.core.left_over().into_iter().find(|(what, _)| *what == "who waits for ends").unwrap();
    assert!(waiting.1 < 16, "{waiting:?}");
}
