//! Golden vectors are computed again when a box has another engine, or another version of one, than when they were computed last.

use trackside_models::EngineChoice;
use trackside_store::{ModelRow, ModelVersionRow, Reader, TestedModel, Write};
use trackside_sync::lock;

use super::{ModelPlace, ModelsError, add::how};

/// A version that was tested again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retested {
    /// The model.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// The engine; that of before where none runs it now.
    pub engine: String,
    /// What was wrong.
    pub problem: Option<String>,
}

/// Tests the versions of the registry again whose engine is another one than they were tested on, each in a process of its own; what
/// comes of it is on disk when this ends. Whether the engine is another one is found out by the one version of each choice of engine
/// that most depends on it, so that a start without a change costs one small test.
///
/// # Errors
/// When the database or the folders can not be read, or nothing can be written.
pub fn retest_models(place: &mut ModelPlace) -> Result<Vec<Retested>, ModelsError> {
    let models = place.read(Reader::models)?;
    let mut retested = Vec::new();
    for choice in [EngineChoice::Auto, EngineChoice::OnnxRuntime, EngineChoice::Rten] {
        let mut group = versions_of(place, &models, choice);
        // Champions first: one of them tells for all.
        group.sort_by_key(|(row, version)| !row.aliases_of(version.version).any(|alias| alias == "champion"));
        for (place_in_group, (row, version)) in group.into_iter().enumerate() {
            let test = test(place, &row, &version)?;
            let Some(test) = test else {
                if place_in_group == 0 {
                    break;
                }
                continue;
            };
            place.keep(vec![Write::ModelTested(test.clone())])?;
            retested.push(Retested {
                name: test.name,
                version: test.version,
                engine: test.engine,
                problem: test.problem,
            });
        }
    }
    Ok(retested)
}

/// Versions that are to run on this choice of engine. What can not be read is told when it is loaded.
fn versions_of(place: &ModelPlace, models: &[ModelRow], choice: EngineChoice) -> Vec<(ModelRow, ModelVersionRow)> {
    let shelf = place.shelf();
    let versions = models.iter().flat_map(|row| row.versions.iter().map(move |version| (row, version)));
    let of_choice =
        |version: &ModelVersionRow| shelf.open(&version.digest).is_ok_and(|kept| kept.manifest.engine == choice);
    versions.filter(|(_, version)| of_choice(version)).map(|(row, version)| (row.clone(), version.clone())).collect()
}

/// What a test gave now; nothing where it was made on this engine before, and went as it does now.
fn test(place: &ModelPlace, row: &ModelRow, version: &ModelVersionRow) -> Result<Option<TestedModel>, ModelsError> {
    let kept = place.shelf().open(&version.digest)?;
    let title = format!("{}@{}", row.name, version.version);
    // It is not loaded for anybody: whoever asks for it is told why.
    let trust = place.trust();
    if trust.permit(&title, &kept).is_err() || (trust.is_required() && kept.verify().is_err()) {
        return Ok(None);
    }
    let doors = place.doors();
    let probed = {
        let _one = lock(&doors.probe);
        place.probe(&title, &kept)
    };
    let before = version.tested.as_ref();
    let (engine, how, problem) = match probed {
        Ok(probe) => (probe.engine, how(probe.tested).to_owned(), None),
        // No process, and so no test.
        Err(error @ (ModelsError::Store(_) | ModelsError::Node(_))) => return Err(error),
        Err(error) => {
            let engine = before.map_or_else(|| "none".to_owned(), |tested| tested.engine.clone());
            (engine, "not".to_owned(), Some(error.to_string()))
        }
    };
    if before.is_some_and(|tested| tested.engine == engine && tested.problem.is_some() == problem.is_some()) {
        return Ok(None);
    }
    let (name, version, at_ms, by) = (row.name.clone(), version.version, place.now_ms(), place.by());
    Ok(Some(TestedModel { name, version, engine, how, problem, at_ms, by }))
}
