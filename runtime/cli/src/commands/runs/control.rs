//! `trackside runs cancel | pause | resume | retry`

use std::sync::Arc;
use trackside_codes::code;

use clap::Args;
use serde_json::json;
use trackside_control::{Followed, QueryError, RetryRun, Session, find_run};
use trackside_engine::RunId;
use trackside_node::RunHead;
use trackside_spec::Plan;
use trackside_store::Reader;

use crate::{
    accepting::{HERE, accepted},
    commands::run::{End, Waiting, tell},
    context::{Context, runtime},
    failure::Failure,
    output::escape,
    view::RunView,
};

/// Stop a run that is under way
///
/// Steps under way are asked to stop, the others never start; `finally` handlers for a cancelled run run. Without a node
/// (`trackside serve`) this happens in this process, which waits for the run's end.
#[derive(Debug, Args)]
pub struct Cancel {
    /// The run's id, its beginning, or `last`
    run: String,
}

/// Let nothing more begin in a run
///
/// Steps under way go on to their end, also those that wait for a mutex or a person; no other step, item or retry begins
/// until the run is resumed. The pause outlives a restart. Timeouts go on counting.
#[derive(Debug, Args)]
pub struct Pause {
    /// The run's id, its beginning, or `last`
    run: String,
}

/// Let a paused run go on
#[derive(Debug, Args)]
pub struct Resume {
    /// The run's id, its beginning, or `last`
    run: String,
}

/// Repeat a run that has ended, from where it failed
///
/// A new run begins with the definition, parameters and trigger of the old one and is linked to it. It takes over the
/// outputs of the steps that ended well; the others and those after them run again. The file that started the run is one of
/// its artifacts, so it need not be in its folder any more. After the workflow was mended, --latest runs all steps of the
/// definition in use now, on the same file or message, with the parameters of the old run that it still has.
#[derive(Debug, Args)]
pub struct Retry {
    /// The run's id, its beginning, or `last`
    run: String,
    /// Repeat this step and all after it, whether they ended well or not
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// Repeat the step named by --from alone; those after it are skipped
    #[arg(long, requires = "from")]
    only: bool,
    /// Run all steps of the definition that is in use now, instead of the run's own
    #[arg(long, conflicts_with_all = ["from", "only"])]
    latest: bool,
    /// Do not wait: print the new run's id and leave it to the running node
    #[arg(long)]
    detach: bool,
}

/// Cancels.
pub fn cancel(context: &Context, arguments: &Cancel) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let run = find_run(&reader, &arguments.run)?;
    drop(reader);
    let runtime = runtime()?;
    let session = Session::open(&project, HERE, &runtime)?;
    let done: Result<(), Failure> = runtime.block_on(async {
        let asked = session.control().cancel(run);
        accepted(context.console, &session, "the node stops the run", asked).await?;
        if !session.is_remote() {
            // Nobody else is there to stop its steps and run its handlers.
            let mut events = session.control().follow(run).await?;
            while let Some(Followed::Event { .. }) = events.next().await? {}
        }
        Ok(())
    });
    drop(session);
    done?;
    told(context, run, "cancelled", true)
}

/// Pauses.
pub fn pause(context: &Context, arguments: &Pause) -> Result<(), Failure> {
    set(context, &arguments.run, true)
}

/// Resumes.
pub fn resume(context: &Context, arguments: &Resume) -> Result<(), Failure> {
    set(context, &arguments.run, false)
}

fn set(context: &Context, run: &str, pause: bool) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let run = find_run(&reader, run)?;
    drop(reader);
    runtime()?.block_on(async {
        let session = Session::without_node(project, HERE).await?;
        let asked = session.control().pause_run(run, pause);
        accepted(context.console, &session, "the node accepts it", asked).await
    })?;
    told(context, run, "paused", pause)
}

fn told(context: &Context, run: RunId, what: &str, is: bool) -> Result<(), Failure> {
    if context.console.json {
        return context.console.print_json(&json!({ "run": run, what: is }));
    }
    context.console.say(&format!("Run {run} is {}{what}.", if is { "" } else { "no longer " }));
    Ok(())
}

/// The definition that a run has, not the one that the file has now.
fn definition(reader: &Reader, run: RunId) -> Result<Arc<Plan>, Failure> {
    let head = RunHead::open(reader, run)?;
    let head = head.ok_or(QueryError::NoRun(run))?;
    head.plan.map_err(|reason| Failure::new(code!("TS-0726"), format!("run {run} cannot be repeated: {reason}")))
}

/// Whether another definition than this one is in use now.
async fn newer(session: &Session, own: &Plan) -> Result<bool, Failure> {
    // A node may not have heard of a change yet. What it can not read it tells in its status.
    let _ = session.control().reload().await;
    let status = session.control().status().await?;
    let in_use = status.workflows.iter().find(|workflow| workflow.name == own.name);
    Ok(in_use.is_some_and(|in_use| in_use.digest != own.digest))
}

/// Repeats.
pub fn retry(context: &Context, arguments: &Retry) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let run = find_run(&reader, &arguments.run)?;
    let own = definition(&reader, run)?;
    let request = RetryRun { from: arguments.from.clone(), only: arguments.only, latest: arguments.latest };
    let runtime = runtime()?;
    let session = Session::open(&project, HERE, &runtime)?;
    if arguments.detach && !session.is_remote() {
        return Err(Failure::new(
            code!("TS-0831"),
            "no node is running that could take the run over: start one with `trackside serve`, or leave out --detach",
        ));
    }
    let ended: Result<(RunId, End), Failure> = runtime.block_on(async {
        if !arguments.latest && newer(&session, &own).await? {
            context.console.warn(format!(
                "workflow `{}` has changed since run {run}, which is repeated as it was; \
                 `{}` takes the definition in use now",
                escape(&own.name),
                context.command(&format!("runs retry --latest {run}"))
            ));
        }
        let asked = session.control().retry(run, request);
        let new = accepted(context.console, &session, "the node accepts the run", asked).await?;
        if arguments.detach {
            return Ok((new, End::default()));
        }
        let plan = if arguments.latest { definition(&reader, new)? } else { own };
        let waiting = Waiting { console: context.console, plan: &plan, limit: None };
        let events = session.control().follow(new).await?;
        Ok((new, waiting.follow(&session, new, events).await?))
    });
    let shown = ended.and_then(|(new, end)| {
        if arguments.detach {
            return match context.console.json {
                true => context.console.print_json(&json!({ "run": new, "retry_of": run })),
                false => context.console.print(&new.to_string()),
            };
        }
        let (_, reader) = context.reader()?;
        let missing = || Failure::new(code!("TS-0820"), format!("run {new} is not in the store"));
        tell(context, &RunView::read(&reader, new)?.ok_or_else(missing)?, end)
    });
    drop(session);
    shown.map_err(|failure| match failure {
        Failure::Ended(exit, message) => Failure::Ended(exit, message.map(|text| escape(&text).into_owned())),
        other => other,
    })
}
