//! `trackside serve`: the node as a service.

use std::{sync::Arc, time::Duration};
use trackside_codes::code;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use trackside_control::{ModelPlace, Retested, check_keys, retest_models};
use trackside_node::{Handle, Node, NodeOptions, Project, WorkflowProblem};
use trackside_server::Server;
use trackside_spec::TriggerKind;
use trackside_store::SystemClock;

use crate::{
    console::Console,
    context::{Context, own_data, runtime},
    failure::Failure,
    logging::service_line,
    notify::{Moment, Notifier},
    output::{count, short_digest},
};

/// Run the node: triggers, schedules, the socket
///
/// Stays in the foreground, watches folders, keeps schedules and answers on its socket. Takes up workflow files that change, and reads them on SIGHUP and `trackside reload`. Ends on SIGTERM and Ctrl-C; what was accepted goes on at the next start. Speaks systemd's notification protocol
/// (Type=notify, WatchdogSec=), and logs to standard error: with times, or with levels when that is the journal.
#[derive(Debug, Args)]
pub struct Arguments {}

/// The level that the project's config asks for. A config that can not be read is told by the command itself.
pub fn log_level(context: &Context) -> Result<&'static str, Failure> {
    Ok(context.project()?.config.node.log.as_str())
}

/// How long work on the disk may take to end.
const LEAVING: Duration = Duration::from_secs(2);

/// Serves until a signal comes.
pub fn execute(context: &Context) -> Result<(), Failure> {
    let found = context.project()?;
    own_data(&found)?;
    let node = Node::start(&found, &NodeOptions { triggers: true, clock: Arc::new(SystemClock) })?;
    let project = node.handle().project();
    for problem in project.problems.iter() {
        tell(problem);
    }
    for problem in check_keys(&project) {
        tracing::error!(
            "a key of [policy] model_keys can not be used, and no signature of a model counts until then:\n{problem}"
        );
    }
    if project.workflows.is_empty() {
        tracing::warn!("there is no workflow that could run; `trackside check` tells more");
    }
    let runtime = runtime()?;
    let stayed = runtime.block_on(stay(context.console, &node));
    // A model that is being looked at is not waited for: it is not in the registry then.
    runtime.shutdown_timeout(LEAVING);
    // Outside of the runtime: it waits for steps that are being stopped.
    drop(node);
    stayed
}

fn tell(problem: &WorkflowProblem) {
    let (file, reason) = (problem.file.display(), &problem.reason);
    match &problem.kept {
        Some((workflow, digest)) => tracing::error!(
            "[TS-0625] {file} is not used; workflow {workflow} goes on with its last good version {}:\n{reason}",
            short_digest(digest)
        ),
        None => tracing::error!("{file} is not used:\n{reason}"),
    }
}

/// Answers on the socket until a signal comes. The socket is gone afterwards, the node still runs.
pub async fn stay(console: Console, node: &Node) -> Result<(), Failure> {
    let no_signals =
        |error: std::io::Error| Failure::new(code!("TS-0807"), format!("cannot listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
    let hangup = signal(SignalKind::hangup()).map_err(no_signals)?;
    let server = Server::start(node)?;
    let about = about(&node.handle().project());
    console.say(&service_line(&format!(
        "trackside {} is ready: {about}; socket {}",
        env!("CARGO_PKG_VERSION"),
        server.path().display()
    )));
    let notifier = Notifier::start();
    notifier.tell(Moment::Ready, about);
    test_models(node.handle());
    let name = tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
        () = feed_watchdog(node.handle(), &notifier) => "watchdog",
        () = reload_on_hangup(node.handle(), hangup) => "SIGHUP",
    };
    notifier.tell(Moment::Stopping, "stopping");
    tracing::info!(signal = name, "stopping");
    server.stop().await;
    Ok(())
}

/// Tests models of the registry again where the box has another engine now, beside everything else.
fn test_models(handle: Handle) {
    let work = move || match retest_models(&mut ModelPlace::of_node(&handle, "the start")) {
        Ok(retested) => {
            for Retested { name, version, engine, problem } in retested {
                match problem {
                    None => {
                        tracing::info!(model = name, version, engine, "passes its test on another engine than before")
                    }
                    Some(problem) => {
                        tracing::error!(model = name, version, "does not pass its test any more: {problem}")
                    }
                }
            }
        }
        Err(error) => tracing::error!("models of the registry could not be tested: {error}"),
    };
    if let Err(error) = std::thread::Builder::new().name("model-tester".to_owned()).spawn(work) {
        tracing::error!("failed to start a thread that tests models: {error}");
    }
}

/// Has the workflow files read with each SIGHUP. What came of it is in the log. Never ends.
async fn reload_on_hangup(handle: Handle, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        match handle.reload("SIGHUP").await {
            Ok(reloaded) => tracing::info!(
                "reloaded: {}, {}",
                count(reloaded.changes.len() as u64, "change"),
                count(reloaded.now.project.problems.len() as u64, "problem")
            ),
            Err(error) => tracing::error!("not reloaded: {error}"),
        }
    }
    std::future::pending().await
}

/// Tells the service manager that all is well, twice in each of its periods, for as long as the dispatcher answers.
/// Never ends; without a watchdog it does nothing at all.
async fn feed_watchdog(handle: Handle, notifier: &Notifier) {
    let Some(period) = sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) else {
        return std::future::pending().await;
    };
    let half = (period / 2).max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval(half);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match tokio::time::timeout(half, handle.status()).await {
            Ok(Ok(status)) => {
                let trouble = status.trouble.map(|trouble| format!("; trouble: {trouble}")).unwrap_or_default();
                notifier.tell(Moment::Alive, format!("{} under way{trouble}", count(status.live_runs as u64, "run")));
            }
            // Said nothing, the service manager ends this process and starts another: that is its purpose.
            Ok(Err(_)) | Err(_) => tracing::error!("the dispatcher does not answer; the watchdog is not fed"),
        }
    }
}

/// `3 workflows, 2 watched folders, 1 schedule`
fn about(project: &Project) -> String {
    let triggers = || project.workflows.values().flat_map(|plan| &plan.triggers);
    let files = triggers().filter(|trigger| matches!(trigger.kind, TriggerKind::File(_))).count();
    let crons = triggers().filter(|trigger| matches!(trigger.kind, TriggerKind::Cron(_))).count();
    let parts = [(project.workflows.len(), "workflow"), (files, "watched folder"), (crons, "schedule")];
    let broken = match project.problems.len() {
        0 => String::new(),
        many => format!(", {} that can not be used", count(many as u64, "file")),
    };
    let parts: Vec<String> = parts.iter().map(|(number, noun)| count(*number as u64, noun)).collect();
    parts.join(", ") + &broken
}
