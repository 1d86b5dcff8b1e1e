//! `trackside model list`

use clap::Args;
use trackside_control::{ModelDocument, list_models, show_model};

use super::registered::{reader, some_reader};
use crate::{
    context::Context,
    failure::Failure,
    output::{Cell, Paint, Table, bytes, escape},
};

/// List the models of the registry and their versions
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this model
    name: Option<String>,
}

/// Lists them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let models = match &arguments.name {
        Some(name) => vec![show_model(&some_reader(context, name)?.1, name)?],
        None => match reader(context)?.1 {
            Some(reader) => list_models(&reader)?,
            None => Vec::new(),
        },
    };
    let console = context.console;
    for model in &models {
        for damage in &model.damaged {
            console.warn(format!("damaged row of the model {}: {}", escape(&model.name), escape(damage)));
        }
    }
    if console.json {
        return console.print_json(&models);
    }
    if models.is_empty() {
        console.say("The registry has no model; `trackside model add NAME FILE` makes the first version of one.");
        return Ok(());
    }
    console.print(&page(&models, console.out))
}

fn page(models: &[ModelDocument], paint: Paint) -> String {
    let mut table = Table::headed(&["MODEL", "VERSION", "ALIASES", "SIZE", "TESTED ON", "ADDED", "BY"]);
    for model in models {
        for version in &model.versions {
            let tested = match (&version.engine, version.tested.as_deref(), &version.problem) {
                (Some(engine), _, Some(_)) => format!("{engine}: failed"),
                (Some(engine), Some("sample"), None) => format!("{engine}, golden vectors"),
                (Some(engine), Some("made-up"), None) => format!("{engine}, made-up input"),
                (Some(engine), ..) => format!("{engine}, not tested"),
                (None, ..) => "-".to_owned(),
            };
            table.row([
                escape(&model.name).into_owned().into(),
                Cell::right(version.version.to_string()),
                version.aliases.join(", ").into(),
                Cell::right(bytes(version.bytes)),
                escape(&tested).into_owned().into(),
                version.added.clone().into(),
                escape(&version.by).into_owned().into(),
            ]);
        }
    }
    table.render(paint)
}
