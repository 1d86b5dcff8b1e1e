//! `trackside model status`

use clap::Args;
use trackside_control::{Client, ServedLimits, ServedModel, no_node};

use crate::{
    context::{Context, runtime},
    failure::Failure,
    output::{Cell, Paint, Table, bytes, duration_ms, duration_us, escape, shorten},
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
    let limits = arguments.name.is_some().then(|| models.iter().map(|model| limits(&model.limits, console.out)));
    let limits: String = limits.into_iter().flatten().collect();
    console.print(&format!("{}{limits}", page(&models, console.out)))
}

fn page(models: &[ServedModel], paint: Paint) -> String {
    let mut table = Table::headed(&["MODEL", "VERSION", "ALIASES", "STATE", "MEMORY", "ANSWERED", "FAILED", "A RUN"]);
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
            table.row([
                escape(&model.name).into_owned().into(),
                Cell::right(version.version.to_string()),
                version.aliases.join(", ").into(),
                escape(&state).into_owned().into(),
                Cell::right(or_not(version.bytes, bytes)),
                Cell::right(version.answered.to_string()),
                Cell::right(version.failed.to_string()),
                Cell::right(or_not(version.alone_us.unwrap_or(0), duration_us)),
            ]);
        }
    }
    table.render(paint)
}

/// The limits in force, under the names of their keys.
fn limits(limits: &ServedLimits, paint: Paint) -> String {
    let ms = |ms: u64| duration_ms(i64::try_from(ms).unwrap_or(i64::MAX));
    let each = |number: usize| if number == 0 { "one for each core".to_owned() } else { number.to_string() };
    let rows: [(&str, String); 9] = [
        ("load", if limits.at_start { "start" } else { "lazy" }.to_owned()),
        ("sessions", each(limits.sessions)),
        ("queue", limits.queue.to_string()),
        ("timeout", ms(limits.timeout_ms)),
        ("rate", if limits.has_rate { "bounded" } else { "as many as come" }.to_owned()),
        ("failures", if limits.failures == 0 { "never made anew".to_owned() } else { limits.failures.to_string() }),
        ("batching.rows", if limits.batching_rows <= 1 { "off".to_owned() } else { limits.batching_rows.to_string() }),
        ("batching.delay", ms(limits.batching_delay_ms)),
        (
            "breaker",
            if limits.breaker_requests == 0 {
                "off".to_owned()
            } else {
                format!(
                    "{} % of at least {} requests in {}, then closed to all for {}",
                    limits.breaker_failures,
                    limits.breaker_requests,
                    ms(limits.breaker_window_ms),
                    ms(limits.breaker_open_ms)
                )
            },
        ),
    ];
    let mut facts = Table::plain(2);
    for (name, value) in rows {
        facts.row([Cell::dressed(name, Paint::dim), value.into()]);
    }
    format!("\n{}\n{}", paint.bold("Limits"), facts.render(paint))
}
