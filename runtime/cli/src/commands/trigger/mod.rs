//! `trackside trigger`: what starts runs, pausing it, and what it would do.

mod list;
mod pause;
mod test;

use std::{collections::BTreeMap, sync::Arc};
use trackside_codes::code;

use clap::Subcommand;
use trackside_spec::{Plan, Trigger, nearest};

use crate::{context::Context, failure::Failure, output::escape};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    List(list::Arguments),
    Pause(pause::Pause),
    Resume(pause::Resume),
    Test(test::Arguments),
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list::execute(context, arguments),
        Command::Pause(arguments) => pause::pause(context, arguments),
        Command::Resume(arguments) => pause::resume(context, arguments),
        Command::Test(arguments) => test::execute(context, arguments),
    }
}

/// The workflows in which triggers are looked for, by name.
type Workflows = BTreeMap<String, Arc<Plan>>;

/// All triggers, by workflow.
fn all(workflows: &Workflows) -> impl Iterator<Item = (&Plan, &Trigger)> {
    workflows.values().flat_map(|plan| plan.triggers.iter().map(move |trigger| (plan.as_ref(), trigger)))
}

/// The trigger with this id.
fn find<'p>(workflows: &'p Workflows, id: &str) -> Result<(&'p Plan, &'p Trigger), Failure> {
    if let Some(found) = all(workflows).find(|(_, trigger)| trigger.id == id) {
        return Ok(found);
    }
    let known: Vec<&str> = all(workflows).map(|(_, trigger)| trigger.id.as_str()).collect();
    let remedy = match (nearest(id, known.iter().copied()), known.as_slice()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "the project has none".to_owned(),
        (None, known) => format!("the project has: {}", known.join(", ")),
    };
    Err(Failure::new(code!("TS-0882"), format!("there is no trigger `{}`; {remedy}", escape(id))))
}
