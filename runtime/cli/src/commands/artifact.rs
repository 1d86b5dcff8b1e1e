//! `trackside artifact`: content out of the store, and whether it is still what it was.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use trackside_codes::code;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use trackside_control::{
    ArtifactCheck, DamagedEntry, ModelCheck, ModelFault, check_artifact, check_artifacts, check_models, find_artifact,
};
use trackside_node::Project;
use trackside_spec::Digest;
use trackside_store::{Artifacts, Reader};

use super::installed::{self, Installed};
use crate::{
    context::Context,
    failure::{Exit, Failure},
    output::{bytes, count, escape},
};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Get(Get),
    Verify(Verify),
}

/// Write an artifact's content to standard output or to a file
///
/// Its digest is checked on the way.
#[derive(Debug, Args)]
pub struct Get {
    /// The digest, with or without `sha256:`, or its beginning
    digest: String,
    /// The file to write; it appears whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Compare artifacts, installed plugins and the registry's models with their digests
///
/// Looks for artifacts that runs refer to and that are gone, for plugins that workflow.lock or a workflow names and that
/// are not on this box, for folders of models that are gone or that no version names, and for files there that nobody names,
/// too: whether a copy of a project is whole.
#[derive(Debug, Args)]
pub struct Verify {
    /// The digest, with or without `sha256:`, or its beginning; without one all are checked
    digest: Option<String>,
    /// All artifacts
    #[arg(long, conflicts_with = "digest")]
    all: bool,
}

/// Runs one.
pub fn execute(context: &Context, command: &Command) -> Result<(), Failure> {
    let (project, reader) = context.reader()?;
    let artifacts = Artifacts::read_only(&project.data_dir());
    match command {
        Command::Get(get) => fetch(context, &artifacts, get),
        Command::Verify(verify) => check(context, &project, &artifacts, &reader, verify),
    }
}

fn fetch(context: &Context, artifacts: &Artifacts, arguments: &Get) -> Result<(), Failure> {
    let digest = find_artifact(artifacts, &arguments.digest)?;
    let mut file = artifacts.open_artifact(&digest).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(code!("TS-0815"), format!("there is no artifact {digest}")),
        _ => Failure::new(code!("TS-0851"), format!("cannot read artifact {digest}: {error}")),
    })?;
    let found = match &arguments.output {
        None => copy(&mut file, &mut io::stdout().lock()).map_err(|error| Failure::output(&error))?,
        Some(path) => {
            let found = to_file(&mut file, path, &digest)
                .map_err(|error| Failure::new(code!("TS-0852"), format!("cannot write {}: {error}", path.display())))?;
            if found == digest {
                context.console.say(&format!("Wrote {}", path.display()));
            }
            found
        }
    };
    if found == digest {
        return Ok(());
    }
    Err(Failure::ended(
        Exit::Bad,
        code!("TS-0853"),
        format!("{digest} is damaged: its content has the digest {found}; restore it from a copy"),
    ))
}

/// Writes the content beside the target and renames it there if it is what it should be.
fn to_file(source: &mut File, target: &Path, expected: &Digest) -> io::Result<Digest> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temp = tempfile::NamedTempFile::new_in(folder)?;
    let found = copy(source, &mut temp)?;
    if found == *expected {
        temp.as_file().sync_all()?;
        temp.persist(target).map_err(|error| error.error)?;
    }
    Ok(found)
}

/// Copies, and tells the digest of what was copied.
fn copy(source: &mut dyn Read, target: &mut dyn Write) -> io::Result<Digest> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                hasher.update(&buffer[..length]);
                target.write_all(&buffer[..length])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    target.flush()?;
    Ok(Digest::from_bytes(hasher.finalize().into()))
}

/// How the database is called in what is told of it.
const DATABASE: &str = "trackside.db";

fn check(
    context: &Context,
    project: &Project,
    artifacts: &Artifacts,
    reader: &Reader,
    arguments: &Verify,
) -> Result<(), Failure> {
    let ArtifactCheck { checked, bytes: size, unsound, problems, damaged } = match &arguments.digest {
        Some(text) => check_artifact(artifacts, &find_artifact(artifacts, text)?),
        None => check_artifacts(artifacts, reader)?,
    };
    let plugins = match &arguments.digest {
        Some(_) => Installed { checked: 0, problems: Vec::new() },
        None => installed::look(project),
    };
    let models = match &arguments.digest {
        Some(_) => ModelCheck::default(),
        None => match check_models(project, reader) {
            // Told with the database.
            Err(_) if !unsound.is_empty() => ModelCheck::default(),
            models => models?,
        },
    };
    let found = problems.len() + damaged.len() + unsound.len() + plugins.problems.len() + models.problems.len();
    let console = context.console;
    if console.json {
        let of_artifact = |(digest, reason): &(Digest, String)| json!({ "artifact": digest, "reason": reason });
        let of_entry = |damage: &DamagedEntry| json!({ "entry": damage.entry, damage.key(): damage.of(), "reason": damage.reason });
        let of_plugin = |(name, reason): &(String, String)| json!({ "plugin": name, "reason": reason });
        let of_database = |reason: &String| json!({ "database": DATABASE, "reason": reason });
        let told = unsound.iter().map(of_database).chain(problems.iter().map(of_artifact));
        let told = told.chain(damaged.iter().map(of_entry));
        let of_model =
            |fault: &ModelFault| json!({ "models": fault.models, "place": fault.place, "reason": fault.reason });
        let told = told.chain(plugins.problems.iter().map(of_plugin));
        let told: Vec<Value> = told.chain(models.problems.iter().map(of_model)).collect();
        console.print_json(&json!({
            "checked": checked,
            "bytes": size,
            "plugins": plugins.checked,
            "models": models.checked,
            "model_bytes": models.bytes,
            "problems": told,
        }))?;
    } else {
        for reason in &unsound {
            console.print(&format!("{DATABASE}  {}", escape(reason)))?;
        }
        for (digest, reason) in &problems {
            console.print(&format!("{digest}  {reason}"))?;
        }
        for damage in &damaged {
            console.print(&format!("{}  {}", escape(&damage.of.to_string()), damage.reason))?;
        }
        for (name, reason) in &plugins.problems {
            console.print(&format!("{}  {}", escape(name), escape(reason)))?;
        }
        for ModelFault { models, place, reason } in &models.problems {
            let what = [models.join(", "), place.clone()];
            let what: Vec<String> = what.into_iter().filter(|part| !part.is_empty()).collect();
            console.print(&format!("{}  {}", escape(&what.join("  ")), escape(reason)))?;
        }
        let mut beside = match plugins.checked {
            0 => String::new(),
            checked => format!(" and {}", count(checked, "plugin")),
        };
        if models.checked > 0 {
            let versions = count(models.checked, "version");
            beside += &format!(" and {versions} of models ({})", bytes(models.bytes));
        }
        console.say(&format!(
            "{} ({}){beside} checked, {}",
            count(checked, "artifact"),
            bytes(size),
            count(found as u64, "problem")
        ));
    }
    if found == 0 { Ok(()) } else { Err(Failure::bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_artifact_never_becomes_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        std::fs::write(&source, "changed").unwrap();
        let target = folder.path().join("target");
        let found = to_file(&mut File::open(&source).unwrap(), &target, &Digest::of(b"original")).unwrap();
        assert_eq!(found, Digest::of(b"changed"));
        assert!(!target.exists());
        to_file(&mut File::open(&source).unwrap(), &target, &found).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"changed");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }
}
