//! Checks of `triggers`: `file`, `cron`, `event`, `poll`, and in `outside` those that other programs and workflows set off.

mod cron;
mod event;
mod file;
mod outside;
mod poll;

pub(crate) use poll::PollTriggerFile;

use super::{checker::Checker, trigger_file::TriggerFile};
use crate::{
    plan::Param,
    triggers::{Trigger, TriggerKind},
};

const MAX_TRIGGERS: usize = 32;

pub(super) fn check(workflow: &str, triggers: Vec<TriggerFile>, checker: &mut Checker<'_, '_>) -> Vec<Trigger> {
    if triggers.len() > MAX_TRIGGERS {
        let message = format!("{} triggers; the limit is {MAX_TRIGGERS}", triggers.len());
        checker.at_key("TS-0108", &["triggers"], message, None);
    }
    let make = |(index, trigger)| {
        let position = format!("{index}");
        let kind = match trigger {
            TriggerFile::File(file) => TriggerKind::File(file::check(file, &position, checker)),
            TriggerFile::Cron(cron) => TriggerKind::Cron(cron::check(cron, &position, checker)),
            TriggerFile::Webhook(hook) => TriggerKind::Webhook(outside::webhook(hook, &position, checker)),
            TriggerFile::Mqtt(mqtt) => TriggerKind::Mqtt(outside::mqtt(mqtt, &position, checker)),
            TriggerFile::Workflow(other) => {
                TriggerKind::Workflow(outside::workflow(other, workflow, &position, checker))
            }
            TriggerFile::Dataset(name) => TriggerKind::Dataset(outside::dataset(name, &position, checker)),
            TriggerFile::Event(event) => TriggerKind::Event(event::check(event.0, &position, checker)),
            TriggerFile::Drift(drift) => TriggerKind::Drift(outside::drift(drift.0, &position, checker)),
            TriggerFile::Poll(poll) => TriggerKind::Poll(Box::new(poll::check(poll, &position, checker))),
        };
        Trigger { id: format!("{workflow}/{}-{index}", kind.name()), kind }
    };
    triggers.into_iter().enumerate().map(make).collect()
}

/// A trigger that brings no parameters can not start a workflow that requires some.
pub(super) fn check_params(triggers: &[Trigger], params: &[Param], checker: &mut Checker<'_, '_>) {
    let required: Vec<&str> =
        params.iter().filter(|param| param.default.is_none()).map(|param| param.name.as_str()).collect();
    let Some(first) = required.first() else { return };
    for (index, trigger) in triggers.iter().enumerate().filter(|(_, trigger)| !trigger.kind.has_payload()) {
        let name = trigger.kind.name();
        let message = format!("a {name} trigger gives no parameters, and `{}` has no default", required.join("`, `"));
        let help = Some(format!("give `params.{first}` a default"));
        checker.at_key("TS-0110", &["triggers", &index.to_string(), name], message, help);
    }
}
