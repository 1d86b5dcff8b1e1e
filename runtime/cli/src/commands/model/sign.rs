//! `trackside model sign`

use std::path::PathBuf;

use clap::Args;
use trackside_control::sign_model;

use crate::{commands::plugin::signing_key, context::Context, failure::Failure, output::count};

/// Sign a model where it lies, as OpenSSF Model Signing has it
///
/// Writes model.sig into the folder, or FILE.sig beside the file: a bundle that names every file and its digest, which
/// `trackside model add` takes along and every tool of that standard checks.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside plugin keygen models --algorithm p256\n  trackside model sign export/ --key models.key"
)]
pub struct Arguments {
    /// A folder with a model, or an .onnx file, whose weight files lie beside it
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// The private key: PEM, PKCS#8, on P-256, P-384 or P-521, not encrypted
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Where the signature goes
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

/// Signs it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let key = signing_key(&arguments.key)?;
    let project = context.any_project()?;
    let made = sign_model(&project, &arguments.path, arguments.signature.as_deref(), &key)?;
    let console = context.console;
    if console.json {
        return console.print_json(&made);
    }
    console.print(&made.signature.display().to_string())?;
    console.say(&format!("It names {}.", count(made.files as u64, "file")));
    Ok(())
}
