//! `trackside model add`

use std::path::{Path, PathBuf};

use clap::Args;
use trackside_control::{
    AddModel, AliasMoved, GivenModel, GivenVersion, ModelAdded, ModelsError, PulledModel, Session, given_versions,
    pull_model,
};
use trackside_models::package::About;
use trackside_node::Project;
use trackside_packages::oms::OmsError;
use trackside_spec::{CHAMPION, OciReference, check_model_alias, check_model_name};

use super::{Engine, registered::session};
use crate::{
    accepting::accepted,
    commands::plugin::client,
    console::Console,
    context::{Context, runtime},
    failure::{Exit, Failure},
    output::{bytes, escape},
    progress::telling,
};

/// Make a new version of a model from a file, a folder or a registry
///
/// The model is read, loaded on the engine that would run it and tested by another process, whose memory and time are limited: with the
/// golden vectors, or with made-up input. What passes becomes an immutable version; the first of a name is its `champion`, which
/// is what the name alone means. The same content again gives the version that is there. A folder in the layout of Triton's model
/// repository (NAME/1/model.onnx, NAME/2/model.onnx) gives a version for each.
///
/// From a registry (`oras push REF model.onnx weights.data`) come all files that its manifest names, checked against their digests, and
/// the signatures that lie beside it; the reference with the manifest's digest is kept as the version's origin.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside model add pump-anomaly model.onnx --golden model.golden.safetensors\n  trackside model add pump-anomaly export/ --alias candidate --licence Apache-2.0\n  trackside model add pump-anomaly oci://registry.example/models/pump-anomaly:3"
)]
pub struct Arguments {
    /// The model's name: letters, digits, `.`, `_`, `-`
    name: String,
    /// An .onnx file, whose weight files lie beside it, a folder that holds one, or a reference (oci://host/repository:tag,
    /// oci://host/repository@sha256:…)
    #[arg(value_name = "FILE|DIR|REF")]
    what: String,
    /// Inputs with the outputs that the model must give for them, as `trackside model predict … --selftest FILE` writes them
    #[arg(long, value_name = "FILE")]
    golden: Option<PathBuf>,
    /// Who vouches for it: a bundle of OpenSSF Model Signing, as `model sign` and model_signing write it. Without this, model.sig in the
    /// folder or FILE.sig beside it is taken where it is there
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// Let this alias name the new version; may be given several times
    #[arg(long = "alias", value_name = "NAME")]
    aliases: Vec<String>,
    /// The engine that runs it, unless trackside.toml says otherwise
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    engine: Engine,
    /// Under which licence it may be used
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// Where it comes from
    #[arg(long, value_name = "TEXT")]
    origin: Option<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
}

/// Adds it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    // Before a large file is read.
    check_model_name(&arguments.name)?;
    arguments.aliases.iter().try_for_each(|alias| check_model_alias(alias))?;
    let project = context.project()?;
    let about = About {
        engine: arguments.engine.into(),
        licence: arguments.licence.clone(),
        origin: arguments.origin.clone(),
        description: arguments.description.clone(),
    };
    let (golden, signature) = (arguments.golden.as_deref(), arguments.signature.as_deref());
    let console = context.console;
    let path = Path::new(&arguments.what);
    // What was pulled stays until it is added.
    let pulled =
        OciReference::is_meant(&arguments.what).then(|| pull(console, &project, &arguments.what)).transpose()?;
    let versions = match &pulled {
        Some(pulled) => pulled.given(&project, &arguments.name, golden, signature, about),
        None => given_versions(&project, &arguments.name, path, golden, signature, &about),
    };
    let versions = versions.map_err(|error| match error {
        // A file that the command line names.
        ModelsError::Signature(OmsError::Read { .. }) => Failure::ended_by(Exit::Usage, &error),
        other => other.into(),
    })?;
    let added = runtime()?.block_on(async {
        let session = session(project).await?;
        add_all(console, &session, &arguments.name, path, versions, &arguments.aliases).await
    })?;
    tell(console, &added)
}

/// Pulls a model from a registry.
fn pull(console: Console, project: &Project, text: &str) -> Result<PulledModel, Failure> {
    let reference = text.parse()?;
    let client = client(project, &reference)?;
    let runtime = runtime()?;
    let pull = || {
        runtime.block_on(pull_model(project, &client, &reference, || {
            console.say("another model is being pulled into this project; waiting until it is over");
        }))
    };
    Ok(telling(console, format!("fetching {reference}"), pull)?)
}

/// Adds versions in their order; the aliases name the last one.
pub async fn add_all(
    console: Console,
    session: &Session,
    name: &str,
    path: &Path,
    versions: Vec<GivenVersion>,
    aliases: &[String],
) -> Result<Vec<ModelAdded>, Failure> {
    let (last, is_one) = (versions.len().saturating_sub(1), versions.len() == 1);
    let mut added: Vec<ModelAdded> = Vec::new();
    for (at, version) in versions.into_iter().enumerate() {
        if !version.left_out.is_empty() {
            let left_out = escape(&version.left_out.join(", ")).into_owned();
            console.say(&format!("Left out, because their names begin with a dot: {left_out}"));
        }
        if let Some(note) = &version.note {
            console.say(&format!("note: {}", escape(note)));
        }
        let mut aliases = if at == last { aliases.to_vec() } else { Vec::new() };
        // Of a whole repository the newest version is the one that Triton would answer with.
        let is_new = added.first().is_some_and(|first| first.added && first.version == 1);
        if at == last && is_new && !aliases.iter().any(|alias| alias == CHAMPION) {
            aliases.push(CHAMPION.to_owned());
        }
        let one = add_one(console, session, name, aliases, version.given).await?;
        if !is_one && let Some(number) = version.number {
            let path = path.display();
            console.say(&format!("Version {number} of {path} is {name}@{}", one.version));
        }
        added.push(one);
    }
    Ok(added)
}

/// Adds one.
pub async fn add_one(
    console: Console,
    session: &Session,
    name: &str,
    aliases: Vec<String>,
    given: GivenModel,
) -> Result<ModelAdded, Failure> {
    let request = AddModel { name: name.to_owned(), aliases };
    let asked = session.control().add_model(request, given);
    Ok(accepted(console, session, "the model is looked at", asked).await?)
}

/// Says what was added; as JSON a list.
pub fn tell(console: Console, added: &[ModelAdded]) -> Result<(), Failure> {
    for one in added {
        for warning in &one.warnings {
            console.say(&format!("warning[{}]: {}", escape(&warning.code), escape(&warning.text)));
        }
        for caveat in &one.caveats {
            console.say(&format!("note: {}", escape(caveat)));
        }
    }
    if console.json {
        return console.print_json(&added);
    }
    for one in added {
        let name = format!("{}@{}", one.name, one.version);
        let what = match (one.added, &one.engine, one.tested.as_deref()) {
            (false, ..) => "was there already, with the same content".to_owned(),
            (true, Some(engine), tested) => {
                let how = match tested {
                    Some("sample") => "gives its golden vectors on",
                    Some("made-up") => "runs on made-up input on",
                    _ => "is loaded, and was not tested, on",
                };
                format!("is added ({}); it {how} {}", bytes(one.bytes), escape(engine))
            }
            (true, None, _) => format!("is added ({})", bytes(one.bytes)),
        };
        console.say(&format!("{name} {what}."));
        if let Some(signer) = &one.signer {
            console.say(&format!("{name} is signed by {}.", escape(&signer.key)));
        }
        for moved in &one.moved {
            console.say(&moved_line(moved));
        }
    }
    Ok(())
}

/// What became of an alias, in a line.
pub fn moved_line(moved: &AliasMoved) -> String {
    let name = format!("{}@{}", moved.name, moved.alias);
    match (moved.from, moved.to) {
        (from, to) if from == to => match to {
            Some(to) => format!("{name} named version {to} already."),
            None => format!("{name} was not there."),
        },
        (None, Some(to)) => format!("{name} is version {to} now."),
        (Some(from), Some(to)) => format!("{name} is version {to} now; it was version {from}."),
        (Some(from), None) => format!("{name} is removed; it was version {from}."),
        (None, None) => format!("{name} was not there."),
    }
}
