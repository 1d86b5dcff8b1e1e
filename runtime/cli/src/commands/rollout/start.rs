//! `trackside rollout start`

use std::path::{Path, PathBuf};

use clap::Args;
use trackside_codes::code;
use trackside_control::StartRollout;
use trackside_spec::load_rollout;

use super::{shape::Shape, status::line};
use crate::{
    accepting::accepted,
    commands::model::session,
    context::{Context, runtime},
    failure::{Exit, Failure},
};

/// Begin to roll a version of a model out
///
/// It gets a share of the requests for NAME (or a copy of them, as a shadow), and gates decide by evidence that may be looked at after each
/// request: it takes over when all are passed, is taken back when one is broken, and where the traffic does not suffice a person is
/// asked. With a node that runs it begins at once, else when the next one starts.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside rollout start pump-anomaly --candidate 4 --gate errors=+2% --gate p95=x1.3\n  trackside rollout start pump-anomaly --candidate 4 --mode shadow --gate agreement=97%\n  trackside rollout start --file rollouts/pump.yaml"
)]
pub struct Arguments {
    /// The model's name
    #[arg(required_unless_present = "file")]
    model: Option<String>,
    /// The version that is to take over: a number, or an alias
    #[arg(long, value_name = "VERSION", required_unless_present = "file")]
    candidate: Option<String>,
    /// Take all of it from a YAML file, which lies beside the workflows and is versioned with them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "candidate", "gates", "shares", "subject", "ask", "output", "tolerance"])]
    file: Option<PathBuf>,
    /// Try content again that was taken back, before it has cooled down
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    shape: Shape,
}

/// Begins it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.project()?;
    let console = context.console;
    let wanted = match &arguments.file {
        Some(file) => of_file(file, arguments.again)?,
        None => StartRollout {
            model: arguments.model.clone().unwrap_or_default(),
            candidate: arguments.candidate.clone().unwrap_or_default(),
            plan: arguments.shape.plan(),
            again: arguments.again,
        },
    };
    let (started, remote) = runtime()?.block_on(async {
        let session = session(project).await?;
        let asked = session.control().start_rollout(wanted);
        let started =
            accepted(console, &session, "the node accepts the rollout", asked).await.map_err(Failure::from)?;
        Ok::<_, Failure>((started, session.is_remote()))
    })?;
    if console.json {
        return console.print_json(&started);
    }
    console.say(&line(&started));
    if !remote {
        console.say("No node is running: it begins when one starts.");
    }
    Ok(())
}

/// Most bytes of such a file.
const MOST: u64 = 64 << 10;

fn of_file(file: &Path, again: bool) -> Result<StartRollout, Failure> {
    let refuse = |what: String| Failure::ended(Exit::Usage, code!("TS-1001"), what);
    let size = std::fs::metadata(file).map(|meta| meta.len());
    let text = match size {
        Ok(size) if size > MOST => {
            Err(refuse(format!("{} has {size} bytes; a rollout has at most {MOST}", file.display())))
        }
        Ok(_) => {
            std::fs::read_to_string(file).map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))
        }
        Err(error) => Err(refuse(format!("cannot read {}: {error}", file.display()))),
    }?;
    let file = load_rollout(&file.display().to_string(), &text).map_err(|error| Failure::of(&error))?;
    Ok(StartRollout { model: file.rollout.clone(), candidate: file.candidate.to_string(), plan: file.plan(), again })
}
