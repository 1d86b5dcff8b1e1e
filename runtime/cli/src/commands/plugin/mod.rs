//! `trackside plugin`: making, building and testing plugins; what there is, and what one can do and wants.

mod add;
mod fetch;
mod inspect;
mod push;
mod record;
mod remove;
mod sign;
mod sync;

pub use self::{fetch::client, sign::signing_key};
use crate::message::Message;
use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};
use trackside_node::{FoundPlugin, PluginOrigin};
use trackside_packages::Verdict;

use crate::{
    context::{Context, plugins_of},
    failure::Failure,
    output::{Cell, Paint, Table, escape},
    progress::telling,
};

mod build;
mod dev;
mod new;
mod test;

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    New(new::New),
    Build(build::Build),
    Test(test::Test),
    Dev(dev::Dev),
    /// List the plugins: installed, the project's own, bundled
    List,
    Inspect(inspect::Inspect),
    Add(add::Add),
    Remove(remove::Remove),
    Rollback(remove::Rollback),
    Sync(sync::Sync),
    Push(push::Push),
    Sign(sign::Sign),
    Keygen(sign::Keygen),
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    match command {
        Command::New(new) => new::execute(context, new),
        Command::Build(build) => build::execute(context, build),
        Command::Test(test) => test::execute(context, test),
        Command::Dev(dev) => dev::execute(context, dev),
        Command::List => list(context),
        Command::Inspect(inspect) => inspect::execute(context, inspect),
        Command::Add(add) => add::execute(context, add),
        Command::Remove(remove) => remove::execute(context, remove),
        Command::Rollback(rollback) => remove::roll_back(context, rollback),
        Command::Sync(_) => sync::execute(context),
        Command::Push(push) => push::execute(context, push),
        Command::Sign(sign) => sign::execute(context, sign),
        Command::Keygen(keygen) => sign::generate(context, keygen),
    }
}

fn list(context: &Context) -> Result<(), Failure> {
    let project = context.any_project()?;
    let (plugins, _temp) = plugins_of(&project)?;
    let mut bad = false;
    let mut documents = Vec::new();
    let mut table = Table::headed(&["NAME", "VERSION", "FROM", "DIGEST", "SIGNED", "SUMMARY"]);
    for (name, origin) in plugins.names()? {
        let from = source(&origin, &project.root);
        let compile = || plugins.get(&name);
        let loaded = telling(context.console, format!("compiling {}", escape(&name)), compile)
            .and_then(|plugin| Ok((plugin, plugins.sources().find(&name)?)));
        match loaded {
            Ok((plugin, found)) => {
                let about = plugin.descriptor();
                documents.push(json!({
                    "name": name,
                    "version": about.version,
                    "from": from,
                    "digest": plugin.digest(),
                    "signature": signature(&found),
                    "summary": about.summary,
                }));
                let (version, summary) = (escape(&about.version), escape(&about.summary));
                let signed = match &found.verdict {
                    Some(Verdict::Signed { key, .. }) => key.as_str(),
                    Some(Verdict::NotSigned(_)) => "no",
                    None => "",
                };
                table.row([
                    Cell::new(name),
                    version.into_owned().into(),
                    escape(&from).into_owned().into(),
                    plugin.digest().short().into(),
                    escape(signed).into_owned().into(),
                    summary.into_owned().into(),
                ]);
            }
            Err(problem) => {
                bad = true;
                documents.push(json!({ "name": name, "from": from, "error": problem.to_string() }));
                table.row([
                    Cell::new(name),
                    "".into(),
                    escape(&from).into_owned().into(),
                    "".into(),
                    "".into(),
                    Cell::dressed("cannot be used", Paint::red),
                ]);
                context.console.complain(Message::of(&problem));
            }
        }
    }
    let console = context.console;
    if console.json {
        console.print_json(&documents)?;
    } else {
        console.print(&table.render(console.out))?;
    }
    if bad { Err(Failure::bad()) } else { Ok(()) }
}

/// Where a plugin comes from, for people.
fn source(origin: &PluginOrigin, root: &Path) -> String {
    match origin {
        PluginOrigin::Bundled => "bundled".to_owned(),
        PluginOrigin::Installed(locked) => locked.source.to_string(),
        PluginOrigin::File(path) => path.strip_prefix(root).unwrap_or(path).display().to_string(),
    }
}

/// Who vouches for a plugin: the key's file and id, or nobody.
fn signature(found: &FoundPlugin) -> Value {
    match &found.verdict {
        Some(Verdict::Signed { key, id, .. }) => json!({ "key": key, "id": id }),
        _ => Value::Null,
    }
}
