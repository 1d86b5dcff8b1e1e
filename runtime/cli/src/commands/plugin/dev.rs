//! `trackside plugin dev`

use std::path::PathBuf;

use clap::Args;
use trackside_kit::{Manifest, Sources, install_file};

use super::{build::line, test};
use crate::{context::Context, failure::Failure};

/// Build, test and swap a plugin whenever a file is saved
///
/// Builds the plugin project, runs its cases, and puts the plugin into the plugins folder of the project (--project), where a
/// running node takes it with the next step that begins. Then it waits for the next save, until Ctrl-C.
#[derive(Debug, Args)]
pub struct Dev {
    /// The plugin project
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Do it once, without waiting
    #[arg(long)]
    once: bool,
}

/// A build that writes other sources every time is not repeated for ever.
const MOST_IN_A_ROW: u32 = 3;

/// Runs until somebody ends it.
pub fn execute(context: &Context, arguments: &Dev) -> Result<(), Failure> {
    let manifest = Manifest::read(&arguments.dir)?;
    // Before a build of minutes, whose plugin would have no place.
    context.project()?;
    let sources = Sources::watch(&arguments.dir, &manifest.build.output)?;
    let mut in_a_row = 0;
    loop {
        let before = sources.state();
        let done = round(context, &arguments.dir);
        if arguments.once {
            return done;
        }
        if let Err(Failure::Ended(_, message)) = done
            && !message.is_empty()
        {
            context.console.complain(&message);
        }
        // Somebody saved while it was built, or the build wrote sources of its own: those are the same the next time.
        in_a_row += 1;
        if sources.state() != before && in_a_row < MOST_IN_A_ROW {
            continue;
        }
        in_a_row = 0;
        context.console.say("waiting for the next save …");
        if !sources.wait() {
            return Ok(());
        }
    }
}

/// One round. A plugin that fails its cases is not installed.
fn round(context: &Context, dir: &std::path::Path) -> Result<(), Failure> {
    let built = trackside_kit::build(dir)?;
    context.console.say(&line(&built));
    if dir.join("tests").is_dir() {
        test::execute(context, &test::Test::of(dir))?;
    }
    let folder = context.project()?.plugin_dir();
    let target = install_file(&built, &folder)?;
    context.console.say(&format!("installed as {}", target.display()));
    Ok(())
}
