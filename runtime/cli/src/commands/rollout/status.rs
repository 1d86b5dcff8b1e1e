//! `trackside rollout status`

use std::fmt::Write as _;

use clap::Args;
use serde_json::Value;
use trackside_control::{Client, list_rollouts, show_rollout};
use trackside_node::{RolloutDocument, RolloutProblem};

use crate::{
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Paint, Table, duration_ms, escape, local_time},
};

/// Show rollouts: how each stands, what its gates have seen, and what is missing
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside rollout status\n  trackside rollout status pump-anomaly\n  trackside rollout status 3 --json"
)]
pub struct Arguments {
    /// A model or workflow/NAME, for its last rollout, or the number of one
    which: Option<String>,
}

/// Shows them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let console = context.console;
    if let Some(which) = &arguments.which {
        let rollout = find(context, which)?;
        return if console.json { console.print_json(&rollout) } else { console.print(&page(&rollout, console.out)) };
    }
    let rollouts = all(context)?;
    if console.json {
        return console.print_json(&rollouts);
    }
    if rollouts.is_empty() {
        console.say("There is no rollout; `trackside rollout start MODEL --candidate VERSION` begins one.");
        return Ok(());
    }
    console.print(&list(&rollouts, console.out))
}

/// One rollout: of the node that has it, else as it was kept last.
pub fn find(context: &Context, which: &str) -> Result<RolloutDocument, Failure> {
    let project = context.project()?;
    let data_dir = context.node_dir()?;
    let found = runtime()?.block_on(async {
        match Client::find(&data_dir).await? {
            Some(client) => Ok::<_, Failure>(Some(client.rollout(which).await?)),
            None => Ok(None),
        }
    })?;
    match (found, context.reader_of(&project)?) {
        (Some(found), _) => Ok(found),
        (None, Some(reader)) => Ok(show_rollout(&reader, None, which)?),
        (None, None) => Err(Failure::of(&RolloutProblem::None { subject: which.to_owned() })),
    }
}

fn all(context: &Context) -> Result<Vec<RolloutDocument>, Failure> {
    let project = context.project()?;
    let data_dir = context.node_dir()?;
    let found = runtime()?.block_on(async {
        match Client::find(&data_dir).await? {
            Some(client) => Ok::<_, Failure>(Some(client.rollouts().await?)),
            None => Ok(None),
        }
    })?;
    match (found, context.reader_of(&project)?) {
        (Some(found), _) => Ok(found),
        (None, Some(reader)) => Ok(list_rollouts(&reader, None, None)?),
        (None, None) => Ok(Vec::new()),
    }
}

/// In one line.
pub fn line(rollout: &RolloutDocument) -> String {
    let (number, what) = (rollout.rollout, name(rollout));
    let (stable, candidate) = (short(&rollout.stable), short(&rollout.candidate));
    let state = match rollout.status.as_str() {
        "running" => {
            format!("version {candidate} is tried beside version {stable} ({}, {})", rollout.plan.mode, share(rollout))
        }
        "promoted" => format!("version {candidate} has taken the place of version {stable}"),
        "rolled-back" => format!("version {candidate} was taken back, version {stable} answers"),
        "aborted" => format!("it was ended, version {stable} answers"),
        "held" => format!("it is held: version {candidate} keeps its share"),
        "asks" => format!("a person is asked: `trackside rollout promote {what}` or `abort {what}`"),
        "stopped" => format!(
            "version {candidate} gets nothing until a person has decided: `trackside rollout resume {what}` or `abort {what}`"
        ),
        "promoting" => format!("version {candidate} is being put in the place of version {stable}"),
        other => other.to_owned(),
    };
    escape(&format!("Rollout {number} of {what}: {state}")).into_owned()
}

fn name(rollout: &RolloutDocument) -> &str {
    rollout.subject.strip_prefix("model/").unwrap_or(&rollout.subject)
}

/// A version as it is told: of a definition the first digits of its digest.
fn short(version: &str) -> &str {
    version.strip_prefix("sha256:").and_then(|digits| digits.get(..12)).unwrap_or(version)
}

fn share(rollout: &RolloutDocument) -> String {
    let share = rollout.evidence["share"].as_f64().unwrap_or(0.0);
    let (step, steps) =
        (rollout.evidence["step"].as_u64().unwrap_or(0), rollout.evidence["steps"].as_u64().unwrap_or(0));
    let of = if steps > 1 { format!(", step {step} of {steps}") } else { String::new() };
    format!("{share} % of requests{of}")
}

fn list(rollouts: &[RolloutDocument], paint: Paint) -> String {
    let mut table = Table::headed(&["ROLLOUT", "OF", "MODE", "FROM", "TO", "STATUS", "SHARE", "STARTED", "BY"]);
    for rollout in rollouts {
        let is_over = rollout.ended_ms.is_some();
        table.row([
            Cell::right(rollout.rollout.to_string()),
            escape(name(rollout)).into_owned().into(),
            rollout.plan.mode.name().into(),
            escape(short(&rollout.stable)).into_owned().into(),
            escape(short(&rollout.candidate)).into_owned().into(),
            rollout.status.as_str().into(),
            Cell::right(if is_over {
                "-".to_owned()
            } else {
                format!("{} %", rollout.evidence["share"].as_f64().unwrap_or(0.0))
            }),
            local_time(rollout.started_ms).into(),
            escape(&rollout.started_by).into_owned().into(),
        ]);
    }
    table.render(paint)
}

fn page(rollout: &RolloutDocument, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&line(rollout)));
    if let Some(why) = &rollout.why {
        let _ = writeln!(text, "{}", escape(why));
    }
    text.push_str(&seen(&rollout.evidence, paint));
    if let Some(missing) = rollout.evidence["missing"].as_array().filter(|missing| !missing.is_empty()) {
        text.push_str("\nMissing:\n");
        for one in missing.iter().filter_map(Value::as_str) {
            let _ = writeln!(text, "  - {}", escape(one));
        }
    }
    text
}

/// The evidence: requests, time, gates.
pub fn seen(evidence: &Value, paint: Paint) -> String {
    if evidence.is_null() {
        return String::new();
    }
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let requests = &evidence["requests"];
    let ran = duration_ms((evidence["ran_s"].as_f64().unwrap_or(0.0) * 1000.0) as i64);
    let mut text = format!(
        "{ran} so far; {} requests by the version in service, {} by the candidate\n",
        number(&requests["stable"]),
        number(&requests["candidate"])
    );
    if let Some(subjects) = evidence["subjects"].as_object() {
        let of = |key: &str| subjects.get(key).map_or(0, &number);
        let _ = writeln!(
            text,
            "{} and {} subjects (counted up to 60), {} requests of nobody",
            of("stable"),
            of("candidate"),
            of("unsaid")
        );
    }
    let mut table = Table::headed(&["GATE", "VERDICT", "HOLDS", "BROKEN", "SEEN", ""]);
    for gate in evidence["gates"].as_array().into_iter().flatten() {
        let word = |key: &str| escape(gate[key].as_str().unwrap_or("")).into_owned();
        let bar = |key: &str| bar(gate[key].as_f64().unwrap_or(0.0));
        let dress: fn(Paint, &str) -> String = match gate["verdict"].as_str() {
            Some("pass") => Paint::green,
            Some("fail") => Paint::red,
            _ => |paint, text| paint.dim(text),
        };
        table.row([
            word("gate").into(),
            Cell::dressed(word("verdict"), dress),
            bar("holds").into(),
            bar("broken").into(),
            Cell::right(format!("{} {}", number(&gate["observations"]), word("unit"))),
            word("seen").into(),
        ]);
    }
    text.push('\n');
    text.push_str(&table.render(paint));
    text
}

/// How near evidence is to what a verdict takes.
fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * 10.0).round() as usize;
    format!("{}{}", "#".repeat(full), ".".repeat(10 - full))
}
