//! Checks of `event` triggers.

use std::sync::Arc;

use crate::{
    expr::Expr,
    triggers::EventTrigger,
    workflow::{checker::Checker, scope, trigger_file::EventTriggerFile, wait},
};

pub(super) fn check(event: EventTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> EventTrigger {
    let full = ["triggers", position, "event", "name"];
    // It may be written short.
    let path = if checker.root.at(full).is_some() { &full[..] } else { &full[..3] };
    wait::event_name(&event.name, path, checker);
    let condition = event.condition.and_then(|condition| {
        let path = ["triggers", position, "event", "where"];
        match Expr::compile(&condition) {
            Ok(expr) => {
                scope::check_event(&expr, &path, checker);
                Some(Arc::new(expr))
            }
            Err(error) => {
                checker.inside("TS-0105", &path, (error.offset.unwrap_or(0), 1), error.message, None);
                None
            }
        }
    });
    EventTrigger { name: event.name, condition }
}
