//! `trackside model diff`

use clap::Args;
use serde_json::Value;
use trackside_control::diff_models;
use trackside_spec::ModelRef;

use super::registered::some_reader;
use crate::{
    context::Context,
    failure::Failure,
    output::{Table, escape, shorten},
};

/// Show how two versions of models differ: files, inputs, outputs, metadata
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside model diff pump-anomaly@1 pump-anomaly@candidate")]
pub struct Arguments {
    /// The first: NAME, NAME@alias or NAME@3
    before: ModelRef,
    /// The second
    after: ModelRef,
}

/// Shows it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (project, reader) = some_reader(context, &arguments.before.name)?;
    let diff = diff_models(&project, &reader, &arguments.before, &arguments.after)?;
    let console = context.console;
    if console.json {
        return console.print_json(&diff);
    }
    if diff.changes.is_empty() {
        console.say(&format!("{} and {} are the same.", diff.before, diff.after));
        return Ok(());
    }
    let mut table = Table::headed(&["WHAT", &diff.before.to_uppercase(), &diff.after.to_uppercase()]);
    for change in &diff.changes {
        table.row([
            escape(&change.what).into_owned().into(),
            escape(&shown(&change.before)).into_owned().into(),
            escape(&shown(&change.after)).into_owned().into(),
        ]);
    }
    console.print(&table.render(console.out))
}

/// A value as people read it.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        // A file.
        Value::Object(fields) if fields.contains_key("digest") => {
            let digest = fields["digest"].as_str().unwrap_or_default().chars().take(19).collect::<String>();
            format!("{digest}…, {} B", fields.get("size").unwrap_or(&Value::Null))
        }
        // An input or output.
        Value::Object(fields) if fields.contains_key("kind") => {
            let dims = fields.get("shape").and_then(Value::as_array);
            let dim = |dim: &Value| match dim {
                Value::Null => "?".to_owned(),
                Value::String(name) => name.clone(),
                size => size.to_string(),
            };
            let dims = dims.map_or("…".to_owned(), |dims| dims.iter().map(dim).collect::<Vec<_>>().join(","));
            format!("{}[{dims}]", fields["kind"].as_str().unwrap_or_default())
        }
        other => other.to_string(),
    };
    shorten(&text, 60)
}
