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

/// Runs until somebody ends it.
pub fn execute(context: &Context, arguments: &Dev) -> Result<(), Failure> {
    let manifest = Manifest::read(&arguments.dir)?;
    let sources = Sources::watch(&arguments.dir, &manifest.build.output)?;
    loop {
        let done = round(context, &arguments.dir);
        if arguments.once {
            return done;
        }
        if let Err(Failure::Ended(_, message)) = done
            && !message.is_empty()
        {
            context.console.complain(&message);
        }
        // What the build itself wrote beside its output is not what somebody saved.
        sources.forget();
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
