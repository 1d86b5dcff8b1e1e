//! `trackside model export`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use trackside_control::export_model;
use trackside_spec::ModelRef;

use super::registered::some_reader;
use crate::{commands::plugin::signing_key, context::Context, failure::Failure};

/// Write a version of a model into one file, to be carried elsewhere
///
/// The file is an archive (tar) of all that the version is: its manifest, its signatures, the model, its weights, its golden vectors. On
/// the other box `trackside model import` makes the same version of it, with the same digest. With a key it is signed: where
/// [policy] model_keys names its public half, the other box knows who has written it, and that nothing was changed on the way.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  trackside model export pump-anomaly /media/stick/pump-anomaly.tar --sign ops.key")]
pub struct Arguments {
    /// The version: NAME, NAME@alias or NAME@3
    #[arg(value_name = "NAME[@VERSION]")]
    version: ModelRef,
    /// The file to write; one that is there is replaced
    file: PathBuf,
    /// Sign it with this private key (PEM, PKCS#8), as `trackside plugin keygen` makes it
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
}

/// Writes it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let (project, reader) = some_reader(context, &arguments.version.name)?;
    let key = arguments.sign.as_deref().map(signing_key).transpose()?;
    let resolved = export_model(&project, &reader, &arguments.version, key.as_ref(), &arguments.file)?;
    let console = context.console;
    if console.json {
        return console.print_json(&json!({
            "name": resolved.name,
            "version": resolved.version.version,
            "digest": resolved.version.digest,
            "file": arguments.file,
            "key": key.map(|key| key.public().id()),
        }));
    }
    console.say(&format!("{}@{} is written to {}.", resolved.name, resolved.version.version, arguments.file.display()));
    Ok(())
}
