//! `trackside model import`

use std::path::{Path, PathBuf};

use clap::Args;
use trackside_codes::code;
use trackside_control::{GivenVersion, given_archive, given_versions, triton_models, triton_name};
use trackside_models::package::About;
use trackside_node::Project;
use trackside_spec::{check_model_alias, check_model_name};

use super::{
    add::{add_all, tell},
    registered::session,
};
use crate::{
    context::{Context, runtime},
    failure::Failure,
};

/// Take a version of a model from a file that `model export` wrote, or models from a repository of Triton's layout
///
/// The model is looked at and tested as by `model add`, and its signatures come along. An exported version keeps its digest; its number
/// here is the next one of its name.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  trackside model import /media/stick/pump-anomaly.tar\n  trackside model import /srv/model_repository"
)]
pub struct Arguments {
    /// The exported file, or a folder with models as Triton has them: NAME/1/model.onnx
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// The model's name here; without it the one that it had
    #[arg(long)]
    name: Option<String>,
    /// Let this alias name the new version; may be given several times
    #[arg(long = "alias", value_name = "NAME")]
    aliases: Vec<String>,
}

/// Takes it.
pub fn execute(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    arguments.aliases.iter().try_for_each(|alias| check_model_alias(alias))?;
    let project = context.project()?;
    let given = if arguments.path.is_dir() {
        from_folder(&project, &arguments.path, arguments.name.as_deref())?
    } else {
        let (name, given) = given_archive(&arguments.path)?;
        let name = arguments.name.clone().or(name).ok_or_else(|| no_name(&arguments.path))?;
        vec![(name, vec![GivenVersion { number: None, left_out: Vec::new(), note: None, given }])]
    };
    given.iter().try_for_each(|(name, _)| check_model_name(name))?;
    let console = context.console;
    let added = runtime()?.block_on(async {
        let session = session(project).await?;
        let mut added = Vec::new();
        for (name, versions) in given {
            added.extend(add_all(console, &session, &name, &arguments.path, versions, &arguments.aliases).await?);
        }
        Ok::<_, Failure>(added)
    })?;
    tell(console, &added)
}

/// The models of a folder, each with its versions.
fn from_folder(
    project: &Project,
    path: &Path,
    name: Option<&str>,
) -> Result<Vec<(String, Vec<GivenVersion>)>, Failure> {
    let one = |name: &str, path: &Path| -> Result<_, Failure> {
        Ok((name.to_owned(), given_versions(project, name, path, None, None, &About::default())?))
    };
    if let Some(own) = triton_name(path)? {
        return Ok(vec![one(name.unwrap_or(&own), path)?]);
    }
    let names = triton_models(path)?;
    match (names.as_slice(), name) {
        ([], _) => Err(Failure::new(
            code!("TS-0555"),
            format!(
                "{} is no repository of models: no folder in it is called NAME/1; `trackside model add NAME {}` takes a folder \
                 with one model",
                path.display(),
                path.display()
            ),
        )),
        ([only], Some(name)) => Ok(vec![one(name, &path.join(only))?]),
        (several, None) => several.iter().map(|name| one(name, &path.join(name))).collect(),
        (several, Some(name)) if several.iter().any(|known| known == name) => Ok(vec![one(name, &path.join(name))?]),
        (several, Some(name)) => Err(Failure::new(
            code!("TS-0555"),
            format!(
                "{} holds {}, and no {name}; leave --name out to take all of them",
                path.display(),
                several.join(", ")
            ),
        )),
    }
}

fn no_name(path: &Path) -> Failure {
    let text = format!("{} does not say what its model is called; say it with --name", path.display());
    Failure::new(code!("TS-0555"), text)
}
