//! `trackside model load`

use clap::Args;
use trackside_control::{Client, no_node};
use trackside_spec::ModelRef;

use crate::{
    context::{Context, runtime},
    failure::Failure,
    output::{bytes, duration_us},
};

/// Have the node load a version anew that it could not load, or has set aside
///
/// The command ends when it is loaded, tested and warm. Versions that nobody has asked for are loaded by it, too.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside model load pump-anomaly\n  trackside model load pump-anomaly@3")]
pub struct Arguments {
    /// The model: NAME, NAME@alias or NAME@3
    #[arg(value_name = "NAME")]
    model: ModelRef,
}

/// Has it loaded.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let data_dir = context.node_dir()?;
    let console = context.console;
    let loaded = runtime()?.block_on(async {
        let client = Client::find(&data_dir).await?.ok_or_else(|| no_node(&data_dir))?;
        Ok::<_, Failure>(client.load_model(&arguments.model).await?)
    })?;
    if console.json {
        return console.print_json(&loaded);
    }
    let engine = loaded.engine.as_deref().unwrap_or("no engine");
    let took = loaded.alone_us.map(|us| format!(", a run takes {}", duration_us(us))).unwrap_or_default();
    let name = &arguments.model.name;
    console.say(&format!("{name}@{} is loaded on {engine}: {}{took}.", loaded.version, bytes(loaded.bytes)));
    Ok(())
}
