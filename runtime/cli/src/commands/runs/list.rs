//! `trackside runs list`

use crate::message::Message;
use clap::{Args, ValueEnum};
use trackside_control::{list_runs, no_workflow};
use trackside_node::Project;
use trackside_store::{Reader, RunFilter};

use super::waiting;
use crate::{
    context::Context,
    failure::Failure,
    output::{Cell, Table, duration_ms, escape, local_time, shorten},
    view::dress,
};

/// List runs, newest first
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this workflow's
    #[arg(long, value_name = "NAME")]
    workflow: Option<String>,
    /// Only those in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// The steps that wait for a decision, an event or a time, with what they wait for; `trackside approve` takes a decision
    #[arg(long, conflicts_with = "state")]
    waiting: bool,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Prints the list.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    // A project in which nothing has run yet has an empty list, not an error.
    let reader = context.reader_of(&project)?;
    if let Some(name) = &arguments.workflow {
        warn_of_unknown(context, &project, reader.as_ref(), name)?;
    }
    if arguments.waiting {
        return waiting::execute(context, reader.as_ref(), arguments.workflow.clone(), arguments.limit);
    }
    let console = context.console;
    let filter = RunFilter {
        workflow: arguments.workflow.clone(),
        state: arguments.state.map(|state| state.name().to_owned()),
        before: None,
        limit: arguments.limit,
    };
    let runs = match &reader {
        Some(reader) => list_runs(reader, &filter)?,
        None => Vec::new(),
    };
    if console.json {
        return console.print_json(&runs);
    }
    if runs.is_empty() {
        console.say(&format!("No runs in {} that fit.", project.data_dir().display()));
        return Ok(());
    }
    let mut table = Table::headed(&["RUN", "WORKFLOW", "STATE", "TRIGGER", "STARTED", "TOOK", "ERROR"]);
    for run in &runs {
        let took = run.duration_ms.map(duration_ms).unwrap_or_default();
        table.row([
            Cell::new(run.run.to_string()),
            run.workflow.as_str().into(),
            Cell::dressed(run.state.as_str(), dress(&run.state)),
            run.trigger.as_str().into(),
            local_time(run.started_ms).into(),
            Cell::right(took),
            shorten(&escape(run.error.as_deref().unwrap_or_default()), 80).into(),
        ]);
    }
    console.print(&table.render(console.out))
}

/// A name that no workflow has and no run ever had is a slip of the hand, and an empty list would not tell.
fn warn_of_unknown(context: &Context, project: &Project, reader: Option<&Reader>, name: &str) -> Result<(), Failure> {
    if project.workflows.contains_key(name) || project.problem_of(name).is_some() {
        return Ok(());
    }
    let filter = RunFilter { workflow: Some(name.to_owned()), limit: 1, ..RunFilter::default() };
    if reader.map(|reader| reader.runs(&filter)).transpose()?.is_none_or(|runs| runs.is_empty()) {
        context.console.warn(Message::of(&no_workflow(project, name)));
    }
    Ok(())
}
