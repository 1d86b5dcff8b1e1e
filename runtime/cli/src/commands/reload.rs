//! `trackside reload`

use crate::message::Message;
use clap::Args;
use trackside_codes::code;
use trackside_control::{FileProblem, ReloadDocument, Session, WorkflowChange};

use crate::{
    console::Console,
    context::{Context, runtime},
    failure::Failure,
    output::{count, escape, short_digest},
    progress::telling,
};

/// Have the running node read the workflow files now
///
/// The node hears of changes by itself; this is for file systems that do not tell (NFS), and for those who want to know what
/// came of it. What is right is in use when the command ends. A file that is not right changes nothing: its last good version
/// goes on, and the command ends with 1 and says what is wrong. `trackside.toml` is read at a start only.
#[derive(Debug, Args)]
pub struct Arguments {}

/// Reloads.
pub fn execute(context: &Context) -> Result<(), Failure> {
    let data_dir = context.node_dir()?;
    let runtime = runtime()?;
    let session = runtime.block_on(Session::with_node(&data_dir))?;
    let console = context.console;
    let read = || runtime.block_on(session.control().reload());
    let told = telling(console, "the node reads the workflow files", read)?;
    if console.json {
        console.print_json(&told)?;
    } else {
        tell(console, &told);
    }
    if told.problems.is_empty() { Ok(()) } else { Err(Failure::bad()) }
}

fn tell(console: Console, told: &ReloadDocument) {
    for WorkflowChange { workflow, file, was, is } in &told.changes {
        let what = match (was, is) {
            (_, None) => "was taken out".to_owned(),
            (None, Some(is)) => format!("is in use: {}", short_digest(is)),
            (Some(was), Some(is)) => format!("is in use: {} after {}", short_digest(is), short_digest(was)),
        };
        console.say(&format!("{} {what} ({})", escape(workflow), escape(&file.display().to_string())));
    }
    if told.changes.is_empty() {
        console.say("Nothing has changed.");
    }
    problems(console, &told.problems);
    if let Some(note) = &told.config_note {
        console.warn(Message::coded(code!("TS-0626"), note));
    }
}

/// Problems of a file are told by place, as compilers do; or there is one of the whole file.
fn said(problem: &FileProblem) -> Message {
    match problem.code.as_deref() {
        None if problem.message.starts_with(&format!("{}:", problem.file.display())) => {
            Message::placed(&problem.message)
        }
        code => Message::beside(code, &problem.message),
    }
}

/// Says what is wrong with files.
pub fn problems(console: Console, problems: &[FileProblem]) {
    for problem in problems {
        console.complain(said(problem));
        if let (Some(workflow), Some(digest)) = (&problem.workflow, &problem.in_use) {
            console.tell(&format!(
                "{}: [TS-0625] workflow {} goes on with its last good version {}",
                escape(&problem.file.display().to_string()),
                escape(workflow),
                short_digest(digest)
            ));
        }
    }
    if !problems.is_empty() {
        console.tell(&format!("{} found", count(problems.len() as u64, "problem")));
    }
}
