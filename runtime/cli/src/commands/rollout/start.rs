//! `trackside rollout start`

use std::path::{Path, PathBuf};

use clap::Args;
use trackside_codes::code;
use trackside_control::{StartRollout, WorkflowCandidate};
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
    #[arg(required_unless_present_any = ["file", "workflow"])]
    model: Option<String>,
    /// Roll a workflow out, instead of a model
    #[arg(long, value_name = "NAME", conflicts_with = "model")]
    workflow: Option<String>,
    /// What is to take over: the number of a model's version or an alias; of a workflow a file with its new definition, outside of the folder
    /// of the workflows
    #[arg(long, value_name = "VERSION|FILE", required_unless_present = "file")]
    candidate: Option<String>,
    /// Take all of it from a YAML file, which lies beside the workflows and is versioned with them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "workflow", "candidate", "gates", "shares", "subject", "ask", "output", "tolerance"])]
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
            workflow: None,
        },
    };
    let wanted = match &arguments.workflow {
        Some(name) => of_workflow(name, wanted)?,
        None => wanted,
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

/// Most bytes of a definition.
const MOST_DEFINITION: u64 = 1 << 20;

fn of_workflow(name: &str, wanted: StartRollout) -> Result<StartRollout, Failure> {
    let file = PathBuf::from(&wanted.candidate);
    let definition = text_of(&file, MOST_DEFINITION)?;
    let workflow = WorkflowCandidate { name: name.to_owned(), file: wanted.candidate, definition };
    Ok(StartRollout { candidate: String::new(), workflow: Some(workflow), ..wanted })
}

fn text_of(file: &Path, most: u64) -> Result<String, Failure> {
    let refuse = |what: String| Failure::ended(Exit::Usage, code!("TS-1001"), what);
    let size = std::fs::metadata(file).map(|meta| meta.len());
    match size {
        Ok(size) if size > most => Err(refuse(format!("{} has {size} bytes; at most {most} are read", file.display()))),
        Ok(_) => {
            std::fs::read_to_string(file).map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))
        }
        Err(error) => Err(refuse(format!("cannot read {}: {error}", file.display()))),
    }
}

fn of_file(file: &Path, again: bool) -> Result<StartRollout, Failure> {
    let text = text_of(file, MOST)?;
    let file = load_rollout(&file.display().to_string(), &text).map_err(|error| Failure::of(&error))?;
    Ok(StartRollout {
        model: file.rollout.clone(),
        candidate: file.candidate.to_string(),
        plan: file.plan(),
        again,
        workflow: None,
    })
}
