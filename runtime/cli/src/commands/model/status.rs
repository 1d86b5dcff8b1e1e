//! `trackside model status`

use clap::Args;
use trackside_control::{Client, ServedModel, no_node};

use super::limits::own;
use crate::{
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Paint, Table, bytes, duration_us, escape, shorten},
};

/// Show the models that the node has in service: what is loaded, how it goes, and what bounds it
///
/// Those of trackside.toml and those of the registry. With a name the limits are shown, too: keys of [models.NAME].
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only this model
    name: Option<String>,
}

/// Shows them.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let data_dir = context.node_dir()?;
    let console = context.console;
    let mut models = runtime()?.block_on(async {
        let client = Client::find(&data_dir).await?.ok_or_else(|| no_node(&data_dir))?;
        Ok::<_, Failure>(client.served_models().await?)
    })?;
    if let Some(name) = &arguments.name {
        models.retain(|model| model.name == *name);
    }
    if console.json {
        return console.print_json(&models);
    }
    if models.is_empty() {
        console.say("No such model is in service; `trackside model add NAME FILE` puts one into the registry.");
        return Ok(());
    }
    let limits = arguments.name.is_some().then(|| models.iter().map(|model| own(&model.limits, console.out)));
    let limits: String = limits.into_iter().flatten().collect();
    console.print(&format!("{}{limits}", page(&models, console.out)))
}

fn page(models: &[ServedModel], paint: Paint) -> String {
    // A column of dashes says nothing to those who tell no truth.
    let judged = models.iter().flat_map(|model| &model.versions).any(|version| version.labelled > 0);
    let heads = ["MODEL", "VERSION", "ALIASES", "STATE", "MEMORY", "ANSWERED", "FAILED", "A RUN"];
    let heads: Vec<&str> = heads.into_iter().chain(judged.then_some("RIGHT")).collect();
    let mut table = Table::headed(&heads);
    for model in models {
        if let Some(problem) = &model.problem {
            let problem = escape(&shorten(problem, 100)).into_owned();
            table.row([
                escape(&model.name).into_owned().into(),
                Cell::right("-".to_owned()),
                "".into(),
                problem.into(),
            ]);
        }
        for version in &model.versions {
            let state = match (&version.engine, &version.reason) {
                (Some(engine), _) => format!("{} on {engine}", version.state),
                (None, Some(reason)) => format!("{}: {}", version.state, shorten(reason, 100)),
                (None, None) => version.state.clone(),
            };
            let or_not =
                |number: u64, shown: fn(u64) -> String| if number == 0 { "-".to_owned() } else { shown(number) };
            let right = (version.labelled > 0).then(|| format!("{} of {}", version.right, version.labelled));
            let right = judged.then(|| Cell::right(right.unwrap_or_else(|| "-".to_owned())));
            let cells = [
                escape(&model.name).into_owned().into(),
                Cell::right(version.version.to_string()),
                version.aliases.join(", ").into(),
                escape(&state).into_owned().into(),
                Cell::right(or_not(version.bytes, bytes)),
                Cell::right(version.answered.to_string()),
                Cell::right(version.failed.to_string()),
                Cell::right(or_not(version.alone_us.unwrap_or(0), duration_us)),
            ];
            table.row(cells.into_iter().chain(right));
        }
    }
    table.render(paint)
}
