//! `trackside plugin sync`

use clap::Args;
use serde_json::json;
use trackside_node::Project;
use trackside_packages::{InstallError, Installer, Locked};

use super::{
    add::accept,
    fetch::{self, Fetched},
};
use crate::{
    console::Console,
    context::Context,
    failure::{Exit, Failure},
    output::{bytes, count},
    progress::telling,
};

/// Fetch the plugins that workflow.lock names and this box does not have
///
/// Exactly those: a component with another digest is refused, whatever its tag says today. The lock file is not changed.
#[derive(Debug, Args)]
pub struct Sync {}

/// Fetches them.
pub fn execute(context: &Context) -> Result<(), Failure> {
    let project = context.project()?;
    let installer = Installer::open(&project.root, &project.data_dir())?;
    let console = context.console;
    let mut documents = Vec::new();
    let (mut there, mut fetched, mut failed) = (0, 0, 0);
    for (name, locked) in installer.lock().plugins() {
        let state = if installer.installed().is_whole(&locked.digest) {
            there += 1;
            "there"
        } else {
            console.say(&format!("fetching {name} from {}", locked.source));
            match place(console, &project, &installer, name, locked) {
                Ok(()) => {
                    fetched += 1;
                    "fetched"
                }
                Err(Failure::Ended(_, message)) => {
                    failed += 1;
                    console.complain(&message);
                    "failed"
                }
                Err(broken) => return Err(broken),
            }
        };
        documents.push(json!({ "name": name, "digest": locked.digest, "state": state }));
        if !console.json && state == "fetched" {
            console.print(&format!("{name} {}: {}, {}", locked.version, locked.digest, bytes(locked.size)))?;
        }
    }
    if console.json {
        console.print_json(&documents)?;
    } else {
        let failures = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        console.say(&format!("{} fetched, {there} there already{failures}", count(fetched, "plugin")));
    }
    if failed > 0 { Err(Failure::bad()) } else { Ok(()) }
}

/// Fetches one and puts it in its place.
fn place(
    console: Console,
    project: &Project,
    installer: &Installer,
    name: &str,
    locked: &Locked,
) -> Result<(), Failure> {
    let fetch = || fetch::fetch(project, &locked.source, locked.manifest);
    let fetched = telling(console, format!("fetching {name}"), fetch)?;
    same(&fetched, locked)?;
    let (receipt, _) = accept(console, project, name, &fetched)?;
    installer.place(fetched.digest, &fetched.bytes, &receipt)?;
    Ok(())
}

fn same(fetched: &Fetched, locked: &Locked) -> Result<(), Failure> {
    if fetched.digest == locked.digest {
        return Ok(());
    }
    let error = InstallError::Differs {
        source_text: locked.source.to_string(),
        found: fetched.digest,
        wanted: locked.digest,
        remedy: "put the right file there, or install the new one with `trackside plugin add`",
    };
    Err(Failure::ended_by(Exit::Bad, &error))
}
