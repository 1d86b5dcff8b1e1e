//! Moving aliases, and removing versions.

use trackside_facts::{Subject, SubjectEvent};
use trackside_spec::{ModelRef, ModelVersion, check_model_alias};
use trackside_store::{ModelRow, MovedAlias, RolloutRow, Unresolved, Write};
use trackside_sync::lock;

use super::{AliasMoved, ModelPlace, ModelRemoved, ModelsError};

/// Entries of a model's history that are looked through for where an alias was before.
const HISTORY: u32 = 100_000;

/// The moves of these aliases that change something.
pub(super) fn alias_moves(name: &str, row: Option<&ModelRow>, aliases: &[String], to: Option<u32>) -> Vec<AliasMoved> {
    let mut moves: Vec<AliasMoved> = Vec::new();
    for alias in aliases {
        let known = row.and_then(|row| row.aliases.iter().find(|row| row.alias == *alias));
        let from = known.map(|row| row.version);
        if from != to && !moves.iter().any(|other| other.alias == *alias) {
            moves.push(AliasMoved { name: name.to_owned(), alias: alias.clone(), from, to });
        }
    }
    moves
}

pub(super) fn writes_of(moves: &[AliasMoved], at_ms: i64, by: &str) -> Vec<Write> {
    let write = |moved: &AliasMoved| {
        Write::ModelAliasMoved(MovedAlias {
            name: moved.name.clone(),
            alias: moved.alias.clone(),
            to: moved.to,
            at_ms,
            by: by.to_owned(),
        })
    };
    moves.iter().map(write).collect()
}

/// Lets an alias name a version, or removes it. It is on disk when this ends.
///
/// # Errors
/// Any [`ModelsError`]; nothing was changed then.
pub fn move_model_alias(
    place: &mut ModelPlace,
    name: &str,
    alias: &str,
    to: Option<u32>,
) -> Result<AliasMoved, ModelsError> {
    let doors = place.doors();
    let _one = lock(&doors.change);
    let row = known(place, name)?;
    check_model_alias(alias)?;
    let wanted = match to {
        Some(version) => ModelVersion::Number(version),
        // Only one that there is can be removed.
        None => ModelVersion::Alias(alias.to_owned()),
    };
    let resolved = row.resolve(&wanted)?;
    let unchanged = AliasMoved { name: name.to_owned(), alias: alias.to_owned(), from: to, to };
    let Some(moved) = alias_moves(name, Some(&row), &[alias.to_owned()], to).pop() else { return Ok(unchanged) };
    debug_assert!(to.is_none_or(|to| resolved.version.version == to), "a number leads to itself");
    commit(place, moved)
}

/// Moves an alias back to what it named before its last move. It is on disk when this ends.
///
/// # Errors
/// Any [`ModelsError`]; nothing was changed then.
pub fn roll_back_model(place: &mut ModelPlace, name: &str, alias: &str) -> Result<AliasMoved, ModelsError> {
    let doors = place.doors();
    let _one = lock(&doors.change);
    let row = known(place, name)?;
    check_model_alias(alias)?;
    let nothing =
        |reason: String| ModelsError::NothingBefore { name: name.to_owned(), alias: alias.to_owned(), reason };
    let history = place.read(|reader| reader.model_history(name, HISTORY))?;
    let mut last = None;
    for entry in &history {
        last = entry.facts()?.into_iter().rev().find_map(|fact| match fact {
            SubjectEvent::ModelAliasMoved { alias: of, from, .. } if of == alias => Some(from),
            _ => None,
        });
        if last.is_some() {
            break;
        }
    }
    let to = match last {
        None => {
            // Says which aliases there are.
            row.resolve(&ModelVersion::Alias(alias.to_owned()))?;
            return Err(nothing("its history says nothing of it".to_owned()));
        }
        Some(None) => return Err(nothing("it named nothing before; `trackside model alias` moves it on".to_owned())),
        Some(Some(to)) => to,
    };
    if row.version(to).is_none() {
        return Err(nothing(format!(
            "it named version {to} before, which has been removed; `trackside model alias {name} {alias} VERSION` moves it to \
             another"
        )));
    }
    let moves = alias_moves(name, Some(&row), &[alias.to_owned()], Some(to));
    let moved = moves.into_iter().next().ok_or_else(|| nothing(format!("it names version {to} already")))?;
    commit(place, moved)
}

fn commit(place: &mut ModelPlace, moved: AliasMoved) -> Result<AliasMoved, ModelsError> {
    let (at_ms, by) = (place.now_ms(), place.by());
    place.keep(writes_of(std::slice::from_ref(&moved), at_ms, &by))?;
    Ok(moved)
}

/// Removes a version that no alias names, and its folder unless another version lies there, too. That it is gone is on disk when
/// this ends.
///
/// # Errors
/// Any [`ModelsError`]; nothing was changed then.
pub fn remove_model(place: &mut ModelPlace, name: &str, version: u32) -> Result<ModelRemoved, ModelsError> {
    let doors = place.doors();
    let _one = lock(&doors.change);
    let row = known(place, name)?;
    let resolved = row.resolve(&ModelVersion::Number(version))?;
    let aliases: Vec<String> = row.aliases_of(version).map(str::to_owned).collect();
    if !aliases.is_empty() {
        return Err(ModelsError::Named { name: name.to_owned(), version, aliases });
    }
    in_no_rollout(place, name, version)?;
    let digest = resolved.version.digest;
    let (at_ms, by) = (place.now_ms(), place.by());
    place.keep(vec![Write::ModelRemoved { name: name.to_owned(), version, at_ms, by }])?;
    if place.read(|reader| reader.model_versions_with(&digest))? == 0
        && let Err(error) = place.shelf().remove(&digest)
    {
        // It has no row any more, so the next start removes it.
        tracing::warn!(model = name, version, %error, "the folder of a removed model is left for the next start");
    }
    Ok(ModelRemoved { name: name.to_owned(), version, digest })
}

/// A version that a rollout needs stays.
fn in_no_rollout(place: &ModelPlace, name: &str, version: u32) -> Result<(), ModelsError> {
    let subject = Subject::Model(name.to_owned()).to_string();
    let rows = place.read(|reader| reader.rollouts_of(&subject, 1))?;
    let needs = |row: &RolloutRow| {
        row.ended_ms.is_none() && [&row.stable, &row.candidate].iter().any(|needed| **needed == version.to_string())
    };
    match rows.iter().find(|row| needs(row)) {
        Some(row) => Err(ModelsError::InRollout { name: name.to_owned(), version, rollout: row.id }),
        None => Ok(()),
    }
}

/// The model of this name, which has a version.
fn known(place: &ModelPlace, name: &str) -> Result<ModelRow, ModelsError> {
    let reference = ModelRef::of(name)?;
    let row = place.read(|reader| reader.model(name))?.filter(|row| !row.versions.is_empty());
    match row {
        Some(row) => Ok(row),
        None => Err(match place.read(|reader| reader.resolve_model(&reference))? {
            Err(unresolved) => unresolved.into(),
            // It came a moment ago.
            Ok(_) => Unresolved::Model { name: name.to_owned(), known: Vec::new() }.into(),
        }),
    }
}
