//! `trackside runs cancel | pause | resume | retry`

use clap::Args;
use serde_json::json;
use trackside_engine::{Event, RunId};
use trackside_node::{Project, revive, rfc3339};
use trackside_server::{Client, Followed, RetryRun, cancel_run, retry_run};
use trackside_spec::{Plan, load_workflow};
use trackside_store::{Clock, Committer, Durability, Reader, SystemClock, Txn, Write};

use crate::{
    accepting::accepted,
    commands::run::{End, Waiting, tell},
    context::{Context, runtime},
    failure::Failure,
    lookup,
    output::escape,
    session::Session,
    view::RunView,
};

/// Who asks when no node is running: the person at this shell.
const HERE: &str = "the command line";

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
    let run = lookup::run(&reader, &arguments.run)?;
    drop(reader);
    let runtime = runtime()?;
    let session = Session::open(&project, &runtime)?;
    let done: Result<(), Failure> = runtime.block_on(async {
        match &session {
            Session::Node(client) => {
                let asked = client.cancel(run);
                Ok(accepted(context.console, client, "the node stops the run", asked).await?)
            }
            Session::Own(node) => {
                cancel_run(&node.handle(), run, HERE).await?;
                // Nobody else is there to stop its steps and run its handlers.
                let mut source = session.events(run).await?;
                while let Some(Followed::Event { .. }) = source.next().await? {}
                Ok(())
            }
        }
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
    let run = lookup::run(&reader, run)?;
    let runtime = runtime()?;
    match runtime.block_on(Client::find(&project.data_dir()))? {
        Some(client) => {
            let asked = client.pause_run(run, pause);
            runtime.block_on(accepted(context.console, &client, "the node accepts it", asked))?;
        }
        None => write(&project, &reader, run, pause)?,
    }
    told(context, run, "paused", pause)
}

/// Where no node runs nothing of the run moves: the fact is all there is to be kept.
fn write(project: &Project, reader: &Reader, run: RunId, pause: bool) -> Result<(), Failure> {
    // First: nobody may start a node while the run is looked at.
    let mut committer = Committer::open(&project.data_dir(), Durability::Full)?;
    let row = reader.run(run)?.ok_or_else(|| Failure::usage(format!("[TS-0811] there is no run {run}")))?;
    if let Some(ended) = row.ended_ms {
        let ended = rfc3339(ended);
        return Err(Failure::usage(format!("[TS-0716] run {run} ended at {ended}; there is nothing to pause")));
    }
    let source = reader.definition_of(run)?.unwrap_or_default();
    let unreadable = |reason: String| Failure::unable(format!("[TS-0726] run {run} cannot be read: {reason}"));
    let mut state = revive(reader, run, &row.workflow, &source).map_err(unreadable)?.state;
    if pause == state.paused_by().is_some() {
        return Ok(());
    }
    let by = HERE.to_owned();
    let event = if pause { Event::Paused { by } } else { Event::Resumed { by } };
    let at_ms = SystemClock.now_ms();
    state
        .apply(&event, at_ms)
        .map_err(|_| Failure::usage(format!("[TS-0722] run {run} is ending: there is nothing left to pause")))?;
    let events = serde_json::to_string(&[event]).unwrap_or_default();
    let write = Write::Journal { run, at_ms, events, ended: None };
    committer.commit(&[Txn::of(vec![write])])?;
    Ok(())
}

fn told(context: &Context, run: RunId, what: &str, is: bool) -> Result<(), Failure> {
    if context.console.json {
        return context.console.print_json(&json!({ "run": run, what: is }));
    }
    context.console.say(&format!("Run {run} is {}{what}.", if is { "" } else { "no longer " }));
    Ok(())
}

/// The definition that a run has, not the one that the file has now.
fn definition(reader: &Reader, run: RunId) -> Result<Plan, Failure> {
    let source = reader.definition_of(run)?.unwrap_or_default();
    load_workflow("definition", &source).map_err(|error| {
        Failure::unable(format!(
            "[TS-0726] run {run} cannot be repeated: this version cannot read its definition: {error}"
        ))
    })
}

/// Whether another definition than this one is in use now.
async fn newer(session: &Session, own: &Plan) -> Result<bool, Failure> {
    if let Session::Node(client) = session {
        // It may not have heard of a change yet. What it can not read it tells in its status.
        let _ = client.reload().await;
    }
    Ok(session.in_use(&own.name).await?.is_some_and(|in_use| in_use != own.digest))
}

/// Repeats.
pub fn retry(context: &Context, arguments: &Retry) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let run = lookup::run(&reader, &arguments.run)?;
    let own = definition(&reader, run)?;
    let request = RetryRun { from: arguments.from.clone(), only: arguments.only, latest: arguments.latest };
    let runtime = runtime()?;
    let session = Session::open(&project, &runtime)?;
    if arguments.detach && matches!(session, Session::Own(_)) {
        return Err(Failure::unable(
            "[TS-0831] no node is running that could take the run over: start one with `trackside serve`, or leave out --detach",
        ));
    }
    let ended: Result<(RunId, End), Failure> = runtime.block_on(async {
        if !arguments.latest && newer(&session, &own).await? {
            context.console.warn(&format!(
                "workflow `{}` has changed since run {run}, which is repeated as it was; \
                 `{}` takes the definition in use now",
                escape(&own.name),
                context.command(&format!("runs retry --latest {run}"))
            ));
        }
        let new = match &session {
            Session::Node(client) => {
                let asked = client.retry(run, &request);
                accepted(context.console, client, "the node accepts the run", asked).await?
            }
            Session::Own(node) => retry_run(&node.handle(), run, request, HERE).await?,
        };
        if arguments.detach {
            return Ok((new, End::default()));
        }
        let plan = if arguments.latest { definition(&reader, new)? } else { own };
        let waiting = Waiting { console: context.console, plan: &plan, limit: None };
        let source = session.events(new).await?;
        Ok((new, waiting.follow(new, source).await?))
    });
    let shown = ended.and_then(|(new, end)| {
        if arguments.detach {
            return match context.console.json {
                true => context.console.print_json(&json!({ "run": new, "retry_of": run })),
                false => context.console.print(&new.to_string()),
            };
        }
        let (_, reader) = context.reader()?;
        let missing = || Failure::unable(format!("[TS-0811] run {new} is not in the store"));
        tell(context, &RunView::read(&reader, new)?.ok_or_else(missing)?, end)
    });
    drop(session);
    shown.map_err(|failure| match failure {
        Failure::Ended(exit, message) => Failure::Ended(exit, escape(&message).into_owned()),
        other => other,
    })
}
