//! `trackside plugin remove` and `trackside plugin rollback`

use clap::Args;
use serde_json::json;
use trackside_node::plugin_sources;
use trackside_packages::{Installer, Proof};

use super::add::{signature, told};
use crate::{context::Context, failure::Failure};

/// Take a plugin out of the project
#[derive(Debug, Args)]
pub struct Remove {
    /// Its name in workflow.lock
    name: String,
}

/// Go back to the version that was installed before
///
/// It is on this box still, so this needs no registry. Its digest and signature are checked again.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Its name in workflow.lock
    name: String,
}

/// Takes it out.
pub fn execute(context: &Context, remove: &Remove) -> Result<(), Failure> {
    let project = context.project()?;
    let removed = Installer::open(&project.root, &project.data_dir())?.remove(&remove.name)?;
    let console = context.console;
    if console.json {
        return console.print_json(&json!({
            "name": remove.name, "source": removed.source.to_string(), "digest": removed.digest,
        }));
    }
    console.print(&format!("{} is removed: it was {} from {}", remove.name, removed.digest, removed.source))
}

/// Goes back.
pub fn roll_back(context: &Context, rollback: &Rollback) -> Result<(), Failure> {
    let project = context.project()?;
    let name = &rollback.name;
    let mut installer = Installer::open(&project.root, &project.data_dir())?;
    let (digest, bytes, receipt) = installer.earlier(name)?;
    let proofs: Vec<Proof> = receipt.proof.iter().cloned().collect();
    let verdict = plugin_sources(&project).judge(name, &bytes, &digest, &proofs)?;
    let replaced = installer.lock().get(name).map(|locked| locked.digest);
    installer.rollback(name, &verdict)?;
    let document = json!({
        "name": name,
        "version": receipt.version,
        "source": receipt.source.to_string(),
        "digest": digest,
        "size": bytes.len(),
        "signature": signature(&verdict),
        "replaces": replaced,
    });
    told(context.console, &document, "is back", &verdict)
}
