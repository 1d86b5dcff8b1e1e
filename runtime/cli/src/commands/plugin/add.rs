//! `trackside plugin add`

use clap::Args;
use serde_json::{Value, json};
use trackside_codes::code;
use trackside_node::Project;
use trackside_packages::{InstallError, Installer, NewPlugin, Receipt, Source, Verdict};
use trackside_spec::{OciReference, is_plugin_name};

use super::fetch::{self, Fetched};
use crate::{
    console::Console,
    context::{Context, plugins_of},
    failure::{Exit, Failure},
    output::{bytes, escape},
    progress::telling,
};

/// Install a plugin, or another version of one
///
/// Fetches it, checks digest and signature, compiles it in a process of its own, asks it what it is, and only then writes
/// it into workflow.lock, in one step: whatever happens, the project has the old version or the new one.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside plugin add oci://registry.example/plugins/line-stats:1.2.0\n  trackside plugin add dist/line-stats.wasm"
)]
pub struct Add {
    /// A reference (oci://host/repository:tag, oci://host/repository@sha256:…), or the path of a component (.wasm)
    #[arg(value_name = "REF|FILE")]
    what: String,
    /// The name that workflows use; without it the last part of the repository, or the file's name
    #[arg(long)]
    name: Option<String>,
}

/// Installs it.
pub fn execute(context: &Context, add: &Add) -> Result<(), Failure> {
    let project = context.project()?;
    let mut installer = Installer::open(&project.root, &project.data_dir())?;
    let source = fetch::parse(&project, &add.what)?;
    let name = name(add, &source);
    if !is_plugin_name(&name) {
        return Err(InstallError::Name { name }.into());
    }
    refuse_second_name(&installer, &name, &source)?;
    context.console.say(&format!("fetching {source}"));
    let fetched = telling(context.console, format!("fetching {source}"), || fetch::fetch(&project, &source, None))?;
    let (receipt, verdict) = accept(context.console, &project, &name, &fetched)?;
    let before = installer.lock().get(&name).map(|locked| locked.digest);
    let version = receipt.version.clone();
    installer.install(&name, &NewPlugin { bytes: &fetched.bytes, receipt, verdict: &verdict })?;
    let document = json!({
        "name": name,
        "version": version,
        "source": source.to_string(),
        "digest": fetched.digest,
        "size": fetched.bytes.len(),
        "signature": signature(&verdict),
        "replaces": before.filter(|before| *before != fetched.digest),
    });
    let what = if before == Some(fetched.digest) { "was installed already" } else { "is installed" };
    told(context.console, &document, what, &verdict)
}

/// Judges, compiles and asks a component that was fetched.
pub fn accept(
    console: Console,
    project: &Project,
    name: &str,
    fetched: &Fetched,
) -> Result<(Receipt, Verdict), Failure> {
    let (plugins, _temp) = plugins_of(project)?;
    let verdict = plugins.sources().judge(name, &fetched.bytes, &fetched.digest, &fetched.proofs)?;
    let sandbox = plugins.sandbox()?;
    let loaded = telling(console, format!("compiling {}", escape(name)), || sandbox.load(&fetched.bytes, name));
    let plugin = loaded.map_err(|error| Failure::ended_by(Exit::Bad, &error))?;
    // Of several signatures the one that convinced is kept; without keys in the config, the first: keys may come later.
    let proof = match &verdict {
        Verdict::Signed { proof, .. } => Some(proof.clone()),
        Verdict::NotSigned(_) => fetched.proofs.first().cloned(),
    };
    let receipt = Receipt {
        source: fetched.source.clone(),
        manifest: fetched.manifest,
        size: fetched.bytes.len() as u64,
        version: plugin.descriptor().version.clone(),
        proof,
    };
    Ok((receipt, verdict))
}

/// Who vouches for it.
pub fn signature(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Signed { key, id, .. } => json!({ "key": key, "id": id }),
        Verdict::NotSigned(_) => Value::Null,
    }
}

/// Prints what a command has done to a plugin.
pub fn told(console: Console, document: &Value, what: &str, verdict: &Verdict) -> Result<(), Failure> {
    if console.json {
        return console.print_json(document);
    }
    let text = |key: &str| escape(document[key].as_str().unwrap_or_default()).into_owned();
    let signed = match verdict {
        Verdict::Signed { key, .. } => format!("signed by {}", escape(key)),
        Verdict::NotSigned(_) => "not signed".to_owned(),
    };
    let size = bytes(document["size"].as_u64().unwrap_or_default());
    let (name, version, digest) = (text("name"), text("version"), text("digest"));
    console.print(&format!("{name} {version} {what}: {digest}, {size}, {signed}"))?;
    console.say("A running node takes it with the next step that begins; it needs no restart.");
    Ok(())
}

fn name(add: &Add, source: &Source) -> String {
    let guess = || match source {
        Source::Registry(reference) => reference.short_name().to_owned(),
        Source::File(path) => {
            let stem = std::path::Path::new(path).file_stem().and_then(|stem| stem.to_str());
            stem.unwrap_or_default().to_owned()
        }
    };
    add.name.clone().unwrap_or_else(guess)
}

/// A reference means one plugin, so it is installed under one name.
fn refuse_second_name(installer: &Installer, name: &str, source: &Source) -> Result<(), Failure> {
    let text = source.to_string();
    let other = installer.lock().find(&text).filter(|(other, _)| OciReference::is_meant(&text) && *other != name);
    other.map_or(Ok(()), |(other, _)| {
        Err(Failure::new(
            code!("TS-0658"),
            format!(
                "{text} is installed as `{other}` already; use that name, or remove it first \
             (`trackside plugin remove {other}`)"
            ),
        ))
    })
}
