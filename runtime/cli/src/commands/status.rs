//! `trackside status`

use crate::message::Message;
use clap::Args;
use trackside_codes::code;
use trackside_control::{Session, StatusDocument};

use super::reload::problems;
use crate::{
    console::Console,
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Table, bytes, count, duration_ms, escape, local_time, short_digest},
};

/// How the running node stands, and which definitions it uses
///
/// Lists every workflow with the version that new runs start on, since when that is in use and who saw to it; and every file
/// that cannot be used, with what is wrong. Ends with 1 while there is such a file, or while the disk refuses commits.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Shows it.
pub fn execute(context: &Context) -> Result<(), Failure> {
    let data_dir = context.node_dir()?;
    let status = runtime()?.block_on(async { Session::with_node(&data_dir).await?.control().status().await })?;
    let console = context.console;
    if console.json {
        console.print_json(&status)?;
    } else {
        tell(console, &status)?;
    }
    if status.problems.is_empty() && status.trouble.is_none() { Ok(()) } else { Err(Failure::bad()) }
}

fn tell(console: Console, status: &StatusDocument) -> Result<(), Failure> {
    let up = match status.uptime_s {
        0 => "less than a second".to_owned(),
        seconds => duration_ms(i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)),
    };
    console.say(&format!(
        "trackside {}, process {}, up for {up}: {} under way",
        status.version,
        status.pid,
        count(status.live_runs as u64, "run")
    ));
    let mut table = Table::headed(&["WORKFLOW", "VERSION", "TRIGGERS", "RUNS KEPT", "ON DISK", "IN USE SINCE", "BY"]);
    for workflow in &status.workflows {
        table.row([
            escape(&workflow.name).into_owned().into(),
            short_digest(&workflow.digest).into(),
            Cell::right(workflow.triggers.to_string()),
            Cell::right(workflow.runs_kept.to_string()),
            Cell::right(bytes(workflow.bytes_kept)),
            workflow.since_ms.map(local_time).unwrap_or_default().into(),
            escape(workflow.by.as_deref().unwrap_or_default()).into_owned().into(),
        ]);
    }
    console.print(&table.render(console.out))?;
    problems(console, &status.problems);
    if let Some(note) = &status.config_note {
        console.warn(Message::coded(code!("TS-0626"), note));
    }
    for broker in &status.brokers {
        if let Some(problem) = &broker.problem {
            console.warn(format!("broker {}: {problem}", broker.name));
        }
    }
    if let Some(wait) = &status.schedules_wait {
        console.warn(Message::coded(code!("TS-0635"), wait));
    }
    if let Some(trouble) = &status.trouble {
        console.complain(Message::beside(status.trouble_code.as_deref(), trouble));
    }
    Ok(())
}
