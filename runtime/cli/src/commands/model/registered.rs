//! A model of the registry, as the other commands need it.

use trackside_control::{ModelDocument, ModelsError, Session, model_package, show_model};
use trackside_models::{EngineChoice, ModelLimits, ModelSource, package::Kept};
use trackside_node::{ModelProblem, ModelTrust, Models, Project, digests_of};
use trackside_spec::ModelRef;
use trackside_store::{Reader, ResolvedModel, Unresolved};

use crate::{accepting::HERE, context::Context, failure::Failure};

/// A version of a model, found.
pub struct Registered {
    /// The model.
    pub document: ModelDocument,
    /// The version.
    pub resolved: ResolvedModel,
    /// Its files.
    pub kept: Kept,
    /// How it is loaded.
    pub source: ModelSource,
}

/// Finds what `NAME`, `NAME@alias` or `NAME@3` leads to.
pub fn find(context: &Context, project: &Project, models: &Models, name: &str) -> Result<Registered, Failure> {
    let reference: ModelRef = name.parse()?;
    let declared = project.config.models.iter().filter(|(_, model)| model.path.is_some());
    let known = || declared.clone().map(|(name, _)| name.clone()).collect();
    let Some(reader) = context.reader_of(project)? else {
        return Err(ModelProblem::Unknown { name: reference.name, known: known() }.into());
    };
    let (resolved, kept) = match model_package(project, &reader, &reference) {
        // Nothing was ever added here: it is the project's file that is meant.
        Err(trackside_control::ModelsError::Unresolved(Unresolved::Model { name, known: registered }))
            if registered.is_empty() =>
        {
            return Err(ModelProblem::Unknown { name, known: known() }.into());
        }
        found => found?,
    };
    let document = show_model(&reader, &reference.name)?;
    let title = format!("{}@{}", resolved.name, resolved.version.version);
    ModelTrust::of(&project.root, &project.config.policy).permit(&format!("the model {title}"), &kept)?;
    kept.verify_some(&kept.manifest.golden).map_err(ModelsError::from)?;
    let source = ModelSource {
        choice: kept.manifest.engine,
        selftest: kept.golden(),
        time: models.run_limit(),
        limits: ModelLimits::MOST,
        expected: digests_of(&kept.manifest),
        ..ModelSource::new(title, kept.model())
    };
    Ok(Registered { document, resolved, kept, source })
}

/// The committed data of the project; none where there are no models, because there is no data yet.
pub fn reader(context: &Context) -> Result<(Project, Option<Reader>), Failure> {
    let project = context.project()?;
    let reader = context.reader_of(&project)?;
    Ok((project, reader))
}

/// The same, for what needs a model.
pub fn some_reader(context: &Context, name: &str) -> Result<(Project, Reader), Failure> {
    let (project, reader) = reader(context)?;
    match reader {
        Some(reader) => Ok((project, reader)),
        None => Err(Failure::of(&Unresolved::Model { name: name.to_owned(), known: Vec::new() })),
    }
}

/// The way to whoever changes the registry: the node that runs, or this process.
pub async fn session(project: Project) -> Result<Session, Failure> {
    Ok(Session::without_node(project, HERE).await?)
}

/// For people.
pub const fn engine_name(choice: EngineChoice) -> &'static str {
    match choice {
        EngineChoice::Auto => "auto",
        EngineChoice::OnnxRuntime => "onnxruntime",
        EngineChoice::Rten => "rten",
    }
}
