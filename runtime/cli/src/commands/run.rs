//! `trackside run`: starts a workflow now, on the running node or in this process, and shows it.

use crate::message::Message;
use std::{path::PathBuf, time::Duration};
use trackside_codes::code;

use clap::Args;
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};
use trackside_control::{Control, Followed, RunEvents, Session, StartRun, StatusDocument, find_workflow};
use trackside_engine::{Event, RunId};
use trackside_spec::{Plan, parse_param};

use crate::{
    accepting::{HERE, accepted},
    console::Console,
    context::{Context, runtime},
    failure::{Exit, Failure},
    live::LiveView,
    output::{count, duration_ms, escape},
    progress::{Progress, line, waits},
    view::{RunView, failure, readable, sinks},
};

/// Run a workflow now and wait for its end
///
/// With a node running (`trackside serve`) the run happens there; without one it happens in this process, on the same
/// data. Ctrl-C cancels the run, a second Ctrl-C leaves at once.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside run pump-watch -p threshold=0.9\n  trackside run pump-watch --file data/flow.csv --json"
)]
pub struct Arguments {
    /// The workflow's name
    workflow: String,
    /// A parameter; may be given several times
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    params: Vec<String>,
    /// A file for the run: `trigger.file` in the workflow
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Do not wait: print the run's id and leave it to the running node
    #[arg(long, conflicts_with = "timeout")]
    detach: bool,
    /// Cancel the run when it takes longer, such as 30s or 5m
    #[arg(long, value_name = "DURATION")]
    timeout: Option<trackside_spec::Duration>,
}

/// How long deliveries that a finished run staged are waited for.
const DELIVERY_TIME: Duration = Duration::from_secs(10);

/// Runs it.
pub fn execute(context: &Context, arguments: Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let plan = find_workflow(&project, &arguments.workflow)?.clone();
    let request = StartRun {
        workflow: arguments.workflow,
        params: params(&plan, &arguments.params)?,
        file: arguments.file.map(absolute).transpose()?,
        backfill: None,
    };
    plan.bind_params(&request.params).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Failure::new(code!("TS-0712"), format!("workflow `{}`: {}", plan.name, lines.join("; ")))
    })?;
    let runtime = runtime()?;
    let data_dir = project.data_dir();
    let console = context.console;
    let session = if arguments.detach {
        Session::running(&project, &runtime)?.ok_or_else(|| {
            Failure::new(
                code!("TS-0831"),
                "no node is running that could take the run over: start one with `trackside serve`, or leave out \
                 --detach",
            )
        })?
    } else {
        Session::open(&project, HERE, &runtime)?
    };
    let waiting = Waiting { console, plan: &plan, limit: arguments.timeout.map(trackside_spec::Duration::to_std) };
    let ended: Result<(RunId, End), Failure> = runtime.block_on(async {
        bring_up_to_date(session.control(), &plan, console).await;
        let asked = session.control().start(request);
        let run = accepted(console, &session, "the node accepts the run", asked).await?;
        if arguments.detach {
            return Ok((run, End::default()));
        }
        let events = session.control().follow(run).await?;
        Ok((run, waiting.follow(&session, run, events).await?))
    });
    let told = ended.and_then(|(run, end)| {
        if arguments.detach {
            return if console.json {
                console.print_json(&json!({ "run": run }))
            } else {
                console.print(&run.to_string())
            };
        }
        let (_, reader) = context.reader()?;
        let view = RunView::read(&reader, run)?.ok_or_else(|| {
            Failure::new(code!("TS-0820"), format!("run {run} is not in the store of {}", data_dir.display()))
        })?;
        tell(context, &view, end)
    });
    // Outside of the runtime: a node of this process waits for its threads.
    drop(session);
    told
}

/// The node is to run what the file says: it may not have heard of a change yet.
pub(crate) async fn bring_up_to_date(control: &dyn Control, plan: &Plan, console: Console) {
    let is_same = |document: &StatusDocument| {
        document.workflows.iter().any(|workflow| workflow.name == plan.name && workflow.digest == plan.digest)
    };
    let Ok(before) = control.status().await else { return };
    if is_same(&before) {
        return;
    }
    let progress = Progress::start(console, "the node takes up the changed workflow".to_owned());
    let reloaded = control.reload().await;
    drop(progress);
    if reloaded.is_err() {
        return;
    }
    let Ok(after) = control.status().await else { return };
    if !is_same(&after) && after.workflows.iter().any(|workflow| workflow.name == plan.name) {
        console.warn(format!(
            "workflow `{}` has changed, and the node does not use the change; `trackside status` says why",
            plan.name
        ));
    }
}

/// Parameters as they were typed, in the types that the workflow declares.
pub(crate) fn params(plan: &Plan, given: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut params = Map::new();
    for text in given {
        let Some((name, value)) = text.split_once('=') else {
            let text = escape(text);
            return Err(Failure::new(
                code!("TS-0832"),
                format!("-p {text:?} is not NAME=VALUE, such as -p threshold=0.9"),
            ));
        };
        let value = match plan.params.iter().find(|param| param.name == name) {
            Some(param) => {
                parse_param(param, value).map_err(|problem| Failure::new(code!("TS-0833"), format!("{problem}")))?
            }
            // Refused later, together with everything else that is wrong.
            None => Value::from(value),
        };
        if params.insert(name.to_owned(), value).is_some() {
            return Err(Failure::new(code!("TS-0834"), format!("the parameter `{}` is given twice", escape(name))));
        }
    }
    Ok(params)
}

fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    path.canonicalize()
        .map_err(|error| Failure::new(code!("TS-0713"), format!("cannot take the file {}: {error}", path.display())))
}

/// Asks for the end of the run. Whether it ends is seen in its events.
async fn cancel(session: &Session, run: RunId, by: &str) {
    if let Err(problem) = session.asked_by(by).cancel(run).await {
        tracing::warn!(%problem, "the run could not be cancelled");
    }
}

/// What happened while the run was waited for.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct End {
    /// Somebody pressed Ctrl-C.
    interrupted: bool,
    /// It took longer than `--timeout`.
    too_slow: bool,
}

pub(crate) struct Waiting<'a> {
    pub(crate) console: Console,
    pub(crate) plan: &'a Plan,
    pub(crate) limit: Option<Duration>,
}

impl Waiting<'_> {
    pub(crate) async fn follow(&self, session: &Session, run: RunId, mut events: RunEvents) -> Result<End, Failure> {
        let mut interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Failure::new(code!("TS-0807"), format!("cannot listen for Ctrl-C: {error}")))?;
        let mut view = LiveView::new(self.console, self.plan);
        self.console.say(&format!("{} {}", self.plan.name, self.console.err.dim(&run.to_string())));
        let mut end = End::default();
        // One timer: first the run's limit, after its end the deliveries'.
        let mut timer = self.limit.map(|limit| tokio::time::Instant::now() + limit);
        let mut ended = false;
        // On a terminal a line shows what is under way; elsewhere something is said now and then.
        let began = tokio::time::Instant::now();
        let mut waits = waits();
        let mut silent_until = waits.next().filter(|_| !self.console.live).map(|wait| began + wait);
        loop {
            let still = async {
                match silent_until {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let ring = async {
                match timer {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                next = events.next() => match next? {
                    Some(Followed::Event { at_ms, event }) => {
                        view.event(at_ms, &event);
                        if matches!(event, Event::Ended { .. }) {
                            ended = true;
                            timer = Some(tokio::time::Instant::now() + DELIVERY_TIME);
                        }
                    }
                    Some(Followed::Settled) | None => break,
                },
                () = ring => {
                    if ended {
                        break;
                    }
                    timer = None;
                    end.too_slow = true;
                    cancel(session, run, "--timeout").await;
                }
                () = still => {
                    self.console.say(&line(&view.under_way(), began.elapsed()));
                    silent_until = waits.next().map(|wait| tokio::time::Instant::now() + wait);
                }
                _ = interrupts.recv() => {
                    if end.interrupted {
                        view.clear();
                        // Whatever is under way goes on when a node runs here again.
                        std::process::exit(130);
                    }
                    end.interrupted = true;
                    view.clear();
                    self.console.say("Cancelling the run; Ctrl-C again leaves at once.");
                    cancel(session, run, "Ctrl-C").await;
                }
            }
        }
        view.clear();
        Ok(end)
    }
}

/// Prints the result and chooses the exit code.
pub(crate) fn tell(context: &Context, view: &RunView, end: End) -> Result<(), Failure> {
    let console = context.console;
    if view.outbox_waiting > 0 {
        console.warn(format!(
            "{} of this run could not be carried out yet; a running node tries again",
            count(view.outbox_waiting, "effect")
        ));
    }
    if console.json {
        console.print_json(view)?;
    } else {
        let last = |id| Some((id, readable(view, id, view.outputs.get(id)?)));
        let told: Vec<(&str, Value)> = match view.result.as_object() {
            Some(result) => result.iter().map(|(name, value)| (name.as_str(), value.clone())).collect(),
            None => sinks(view).into_iter().filter_map(last).collect(),
        };
        for (name, value) in told {
            console.print(&format!("{name}  {value}"))?;
        }
    }
    let took = view.duration_ms.map(duration_ms).unwrap_or_default();
    let Some((summary, details)) = failure(view) else {
        console.say(&format!(
            "{} {} in {took}",
            console.err.dim(&view.run.to_string()),
            console.err.green(&view.state)
        ));
        return Ok(());
    };
    console.complain(&summary);
    for line in details {
        console.tell(&format!("  {line}"));
    }
    if end.too_slow {
        console.tell("  it took longer than --timeout allows");
    }
    console.say(&format!("More: {}", context.command(&format!("runs show {}", view.run))));
    Err(Failure::Ended(if end.interrupted { Exit::Interrupted } else { Exit::Bad }, Message::default()))
}

#[cfg(test)]
mod tests {
    use trackside_spec::load_workflow;

    use super::*;

    const SOURCE: &str = "\
version: 1
name: t
params:
  threshold: { type: number, default: 0.5, maximum: 1 }
  name: { type: string, default: a }
steps:
  a: { plugin: echo, with: { value: \"${params.threshold}\" } }
";

    #[test]
    fn parameters_take_the_declared_types() {
        let plan = load_workflow("t", SOURCE).unwrap();
        let given = ["threshold=0.9".to_owned(), "name=12=3".to_owned()];
        assert_eq!(Value::from(params(&plan, &given).unwrap()), json!({"threshold": 0.9, "name": "12=3"}));
    }

    #[test]
    fn parameters_that_are_none_are_refused() {
        let plan = load_workflow("t", SOURCE).unwrap();
        for bad in [&["threshold"][..], &["threshold=x"], &["threshold=2"], &["name=a", "name=b"]] {
            let given: Vec<String> = bad.iter().map(ToString::to_string).collect();
            assert!(matches!(params(&plan, &given), Err(Failure::Ended(Exit::Usage, _))), "{bad:?}");
        }
    }
}
