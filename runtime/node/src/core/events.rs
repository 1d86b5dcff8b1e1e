//! Events of the box's own: what a step or a person emits starts the workflows that have a trigger for it, and ends the waits
//! for it. Both are in one transaction with the note that it has gone out.

use std::sync::Arc;

use serde_json::Value;
use trackside_engine::{Command, RunId};
use trackside_facts::BoxEvent;
use trackside_spec::{EventTrigger, Expr, Scope, StepIndex, TriggerKind};

use super::{
    commits::After,
    dispatch::{Core, Extras},
    follow::{About, Awaited},
    types::{EmitReply, SetOff},
};

impl Core {
    /// Somebody emits an event.
    pub(super) fn emitted_by_hand(&mut self, event: BoxEvent, reply: EmitReply, now_ms: i64) {
        if self.is_full() || self.trouble.is_some() {
            return self.commits.call(move || reply(None));
        }
        let identity = format!("event:{}:{:x}", event.at, (self.chance)());
        let mut set_off = SetOff::default();
        self.as_one(|core| set_off = core.happened(event, None, &identity, now_ms));
        self.commits.after_all(After::Call(Box::new(move || reply(Some(set_off)))));
    }

    /// An event is heard. `from`: the run that emitted it, and how many runs in a row have started each other up to that;
    /// `identity`: what tells it from all others in the ledger.
    pub(super) fn happened(
        &mut self,
        event: BoxEvent,
        from: Option<(RunId, u64)>,
        identity: &str,
        now_ms: i64,
    ) -> SetOff {
        let document = event.to_json();
        let resumed = self.resume(&event.name, &document, now_ms);
        let waits = |kind: &TriggerKind| matches!(kind, TriggerKind::Event(of) if is_meant(of, &event.name, &document));
        let mut started = Vec::new();
        for (plan, trigger) in self.definitions.followers(waits) {
            let (subject, chain) = (event.name.clone(), from.map_or(0, |(_, chain)| chain));
            let about = About::Event(event.clone());
            let (run, identity) = (from.map(|(run, _)| run), identity.to_owned());
            let cause = Awaited { run, chain, identity, subject, about, artifact: None };
            started.extend(self.follow(plan, &trigger, cause, now_ms));
        }
        SetOff { started, resumed }
    }

    /// Ends the waits for it. Not by way of the deferred commands: they would be in another transaction.
    fn resume(&mut self, name: &str, document: &Value, now_ms: i64) -> Vec<RunId> {
        let waiting = |state: &trackside_engine::RunState| {
            let run = state.id();
            state.awaiting(name).map(|step| (run, step)).collect::<Vec<_>>()
        };
        let mut waiting: Vec<(RunId, StepIndex)> = self.live.states().flat_map(waiting).collect();
        waiting.sort();
        let mut resumed = Vec::new();
        for (run, step) in waiting {
            let waits =
                |core: &Self| core.live.state(run).is_some_and(|state| state.awaiting(name).any(|one| one == step));
            self.command(run, Command::Happened { step, event: document.clone() }, now_ms, Extras::default());
            if !waits(self) && resumed.last() != Some(&run) {
                resumed.push(run);
            }
        }
        resumed
    }
}

/// Whether a trigger is for this event. A condition that can not be evaluated on it says no.
fn is_meant(trigger: &EventTrigger, name: &str, document: &Value) -> bool {
    let holds = |condition: &Arc<Expr>| {
        let nothing = Value::Null;
        let scope = Scope { event: Some(document), ..Scope::new(&nothing, &nothing, &nothing, &nothing) };
        condition.eval_bool(&scope).unwrap_or_default()
    };
    trigger.name == name && trigger.condition.as_ref().is_none_or(holds)
}
