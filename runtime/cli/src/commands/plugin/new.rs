//! `trackside plugin new`

use std::path::PathBuf;

use clap::{Args, builder::PossibleValue};
use serde_json::json;
use trackside_kit::{Language, create};

use crate::{context::Context, failure::Failure};

/// Make a new plugin project
///
/// A project that builds with its language's usual tool and passes its own test. The contract and the language's SDK are
/// written into it; nothing is fetched.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside plugin new --lang rust line-stats")]
pub struct New {
    /// The plugin's name: lower-case letters, digits and dashes
    name: String,
    /// The language
    #[arg(long, value_name = "LANGUAGE", value_parser = language())]
    lang: String,
    /// The project's folder; a new one with the plugin's name when it is left out
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn language() -> clap::builder::PossibleValuesParser {
    Language::ALL.map(|language| PossibleValue::new(language.name()).aliases(aliases(language))).into()
}

/// What people call a language besides the name that it has here.
fn aliases(language: Language) -> &'static [&'static str] {
    match language {
        Language::Js => &["javascript"],
        Language::Ts => &["typescript"],
        Language::Python => &["py"],
        Language::Rust => &["rs"],
        Language::Go => &["golang"],
        Language::C | Language::Zig | Language::AssemblyScript => &[],
    }
}

/// Makes it.
pub fn execute(context: &Context, arguments: &New) -> Result<(), Failure> {
    let New { name, lang, dir } = arguments;
    // The parser lets only these names through.
    let is_meant = |known: &Language| known.name() == lang || aliases(*known).contains(&lang.as_str());
    let language = Language::ALL.into_iter().find(is_meant).ok_or_else(Failure::bad)?;
    let folder = dir.clone().unwrap_or_else(|| PathBuf::from(name));
    let project = create(language, name, &folder)?;
    let console = context.console;
    if console.json {
        return console.print_json(&json!({ "folder": project.folder, "files": project.files }));
    }
    console.print(&format!("{}\n", project.folder.display()))?;
    for file in &project.files {
        console.print(&format!("  {}\n", file.display()))?;
    }
    console.say(&format!(
        "Next:\n  cd {}\n  trackside plugin build\n  trackside plugin test\nREADME.md says which tools it needs.",
        project.folder.display()
    ));
    Ok(())
}
