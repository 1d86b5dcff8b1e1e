//! `trackside model verify`

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;
use trackside_codes::code;
use trackside_control::{VerifiedModel, verify_model};
use trackside_node::{ModelTrust, Project};
use trackside_spec::{Digest, ModelRef};

use super::{is_registered, registered::some_reader};
use crate::{
    console::Console,
    context::Context,
    failure::Failure,
    output::{Cell, Paint, Table, count, escape, shorten},
};

/// Check a model's files and signatures, and say which key has signed what
///
/// Reads every file of the version through. The keys that count are those of [policy] model_keys. Ends with an error where nobody
/// who counts has signed it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A version of the registry (NAME, NAME@alias, NAME@3), a model's name in trackside.toml, or an .onnx file
    #[arg(value_name = "NAME[@VERSION]|FILE")]
    model: String,
}

/// Checks it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let project = context.any_project()?;
    let console = context.console;
    if !is_registered(&project, &arguments.model) {
        let declared = project.config.models.get(&arguments.model).and_then(|model| model.path.as_ref());
        let path = declared.map_or_else(|| PathBuf::from(&arguments.model), |path| project.root.join(path));
        return file(console, &project, &path);
    }
    let reference: ModelRef = arguments.model.parse()?;
    let (project, reader) = some_reader(context, &reference.name)?;
    let verified = verify_model(&project, &reader, &reference)?;
    if console.json {
        console.print_json(&verified)?;
    } else {
        console.print(&page(&verified, console.out))?;
    }
    let title = format!("{}@{}", verified.name, verified.version);
    match (&verified.key, verified.signatures.is_empty()) {
        (Some(_), _) => Ok(()),
        (None, true) => {
            let text = format!("{title} is not signed; sign its files with `trackside model sign`, and add them again");
            Err(Failure::new(code!("TS-0595"), text))
        }
        (None, false) => Err(Failure::new(
            code!("TS-0592"),
            format!(
                "none of the signatures of {title} counts here; add the signer's key to [policy] model_keys, or sign the model with \
                 one of them"
            ),
        )),
    }
}

fn page(verified: &VerifiedModel, paint: Paint) -> String {
    let title = format!("{}@{}", verified.name, verified.version);
    let files = count(verified.files.len() as u64, "file");
    let mut page = format!("{}  {files}, with the content that the manifest says\n", paint.bold(&escape(&title)));
    let mut table = Table::plain(2);
    for signature in &verified.signatures {
        let what = match (signature.form.as_str(), signature.names) {
            ("files", Some(names)) => count(names as u64, "file"),
            ("files", None) => "files".to_owned(),
            _ => "the manifest, and so all of it".to_owned(),
        };
        let who = match (&signature.key, &signature.problem) {
            (Some(key), _) => format!("signed by {}", escape(key)),
            (None, Some(problem)) => format!("does not count: {}", escape(&shorten(problem, 400))),
            (None, None) => "does not count".to_owned(),
        };
        table.row([Cell::dressed(&what, Paint::dim), who.into()]);
    }
    page.push_str(&table.render(paint));
    page
}

/// A model file outside the registry.
fn file(console: Console, project: &Project, path: &Path) -> Result<(), Failure> {
    let trust = ModelTrust::of(&project.root, &project.config.policy);
    let (key, digests) = trust.prove_file(path)?;
    for (name, digest) in &digests {
        let file = path.with_file_name(name);
        let found = File::open(&file).and_then(|mut file| Digest::of_reader(&mut file));
        match found {
            Ok(found) if found == *digest => {}
            Ok(_) => {
                let text = format!("{} has another content than when it was signed", file.display());
                return Err(Failure::new(code!("TS-0594"), text));
            }
            Err(error) => {
                let text = format!("the signature names {}, which can not be read: {error}", file.display());
                return Err(Failure::new(code!("TS-0594"), text));
            }
        }
    }
    if console.json {
        return console.print_json(&json!({ "path": path, "key": key, "files": digests }));
    }
    let files = count(digests.len() as u64, "file");
    console.print(&format!("{}  {files}, signed by {}", path.display(), escape(&key)))
}
