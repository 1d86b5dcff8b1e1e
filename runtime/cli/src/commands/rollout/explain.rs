//! `trackside rollout explain`

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use trackside_control::{RolloutEntry, explain_rollout};
use trackside_facts::SubjectEvent;
use trackside_node::{RolloutDocument, RolloutProblem};

use super::status::{find, line, seen};
use crate::{
    context::Context,
    failure::Failure,
    output::{Paint, escape},
};

/// Tell what became of a rollout, step by step, and what was seen when it was decided
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside rollout explain pump-anomaly\n  trackside rollout explain 3")]
pub struct Arguments {
    /// A model or workflow/NAME, for its last rollout, or the number of one
    which: String,
}

#[derive(Serialize)]
struct Explained {
    rollout: RolloutDocument,
    history: Vec<RolloutEntry>,
}

/// Tells it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let console = context.console;
    let rollout = find(context, &arguments.which)?;
    let project = context.project()?;
    let Some(reader) = context.reader_of(&project)? else {
        return Err(Failure::of(&RolloutProblem::None { subject: arguments.which.clone() }));
    };
    let history = explain_rollout(&reader, &rollout)?;
    if console.json {
        return console.print_json(&Explained { rollout, history });
    }
    console.print(&page(&rollout, &history, console.out))
}

fn page(rollout: &RolloutDocument, history: &[RolloutEntry], paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&line(rollout)));
    let plan = &rollout.plan;
    let gates: Vec<String> = plan.gates.iter().map(ToString::to_string).collect();
    let shares: Vec<String> = plan.shares.iter().map(|share| format!("{share} %")).collect();
    let _ = writeln!(
        text,
        "{}, {}; gates {}; at least {} requests and {} a step; wrong in at most {} % of rollouts",
        plan.mode,
        shares.join(", "),
        gates.join(", "),
        plan.evidence,
        plan.bake,
        plan.error
    );
    for entry in history {
        let SubjectEvent::Rollout { change, share, why, evidence, by, .. } = &entry.event else { continue };
        let what = match change.as_str() {
            "started" => "it began".to_owned(),
            "advanced" => format!("the candidate got {share} % of the requests"),
            "held" => "it was held".to_owned(),
            "resumed" => "it went on".to_owned(),
            "asks" => "a person was asked".to_owned(),
            "stopped" => "the candidate got nothing more".to_owned(),
            "promoted" => "the candidate took over".to_owned(),
            "rolled-back" => "the candidate was taken back".to_owned(),
            "aborted" => "it was ended".to_owned(),
            "in-place" => "its file is in place".to_owned(),
            other => other.to_owned(),
        };
        let _ = write!(text, "\n{}  {}", paint.bold(&entry.at), escape(&format!("{what} (by {by})")));
        if let Some(why) = why {
            let _ = write!(text, ": {}", escape(why));
        }
        text.push('\n');
        if let Some(evidence) = evidence.as_ref().filter(|_| change != "started") {
            for row in seen(evidence, paint).lines().filter(|row| !row.is_empty()) {
                let _ = writeln!(text, "  {row}");
            }
        }
    }
    text
}
