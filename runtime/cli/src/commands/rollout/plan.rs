//! `trackside rollout plan`

use std::fmt::Write as _;

use clap::Args;
use trackside_codes::code;
use trackside_control::{PlanRollout, RolloutPlanned, plan_rollout};

use trackside_spec::PerHour;

use super::shape::Shape;
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{Cell, Paint, Table},
};

/// Say before a rollout begins how long it takes at this traffic, and how surely it is decided
///
/// The tests of the gates run on made-up traffic: 400 rollouts of a candidate that is as good, and 400 of one that is just as much worse as
/// the gate does not allow. Nothing is started, and no node or project is needed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside rollout plan --requests 40/h --gate errors=+4%\n  trackside rollout plan --requests 2000/d --mode shadow --gate agreement=97%\n  trackside rollout plan --requests 10/s --labels 50/d --gate accuracy=-5%"
)]
pub struct Arguments {
    /// How many requests come: 40/h, 2000/d, 10/s, 5/min
    #[arg(long, value_name = "RATE", value_parser = str::parse::<PerHour>)]
    requests: PerHour,
    /// How many of them get a label
    #[arg(long, value_name = "RATE", value_parser = str::parse::<PerHour>, default_value = "0/h")]
    labels: PerHour,
    /// The share of requests that fail in service, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    failing: f64,
    /// The accuracy in service, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 90.0)]
    accuracy: f64,
    #[command(flatten)]
    shape: Shape,
}

/// Says it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let console = context.console;
    let asked = PlanRollout {
        plan: arguments.shape.plan(),
        requests_per_hour: arguments.requests.0,
        labels_per_hour: arguments.labels.0,
        errors: arguments.failing / 100.0,
        accuracy: arguments.accuracy / 100.0,
    };
    let planned = plan_rollout(&asked).map_err(|error| match error {
        error @ trackside_control::RolloutsError::Trial(_) => {
            Failure::ended(Exit::Usage, code!("TS-1009"), trackside_codes::Coded::message(&error))
        }
        error => Failure::of(&error),
    })?;
    if console.json { console.print_json(&planned) } else { console.print(&page(&planned, console.out)) }
}

fn page(planned: &RolloutPlanned, paint: Paint) -> String {
    let mut text = String::new();
    let mut table = Table::headed(&[
        "GATE",
        "AS GOOD: PASSES",
        "HALF BY",
        "9 IN 10 BY",
        "WORSE: TAKEN BACK",
        "HALF BY",
        "9 IN 10 BY",
    ]);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let by = |hours: Option<f64>| hours.map_or_else(|| "-".to_owned(), time);
    for gate in planned.gates.iter().filter(|gate| !gate.worse.is_empty()) {
        table.row([
            gate.gate.as_str().into(),
            Cell::right(format!("at least {}", percent(gate.passes))),
            by(gate.hours.0).into(),
            by(gate.hours.1).into(),
            Cell::right(format!("at least {}", percent(gate.taken_back))),
            by(gate.back_hours.0).into(),
            by(gate.back_hours.1).into(),
        ]);
    }
    if planned.gates.iter().any(|gate| !gate.worse.is_empty()) {
        text.push_str(&table.render(paint));
        text.push('\n');
    }
    for gate in &planned.gates {
        if !gate.worse.is_empty() {
            let _ = writeln!(text, "{}: worse is here: {}", gate.gate, gate.worse);
        }
        if let Some(note) = &gate.note {
            let _ = writeln!(text, "{}: {note}", gate.gate);
        }
    }
    for one in &planned.says {
        let _ = writeln!(text, "{one}");
    }
    text
}

fn time(hours: f64) -> String {
    match hours {
        h if h < 1.0 => format!("{:.0} min", (h * 60.0).ceil()),
        h if h < 48.0 => format!("{h:.1} h"),
        h => format!("{:.1} d", h / 24.0),
    }
}
