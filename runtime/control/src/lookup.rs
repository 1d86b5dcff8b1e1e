//! From what people type to the thing they mean: runs and artifacts by the beginning of their ids, names nearly right.

use std::{io, sync::Arc};

use trackside_codes::Coded;
use trackside_engine::RunId;
use trackside_node::{Project, known_workflows};
use trackside_spec::{Digest, Plan, nearest};
use trackside_store::{Artifacts, Reader, RunFilter};

use crate::QueryError;

/// Letters and digits of a run id.
const RUN_LENGTH: usize = 13;
/// Fewest hexadecimal digits of an artifact's digest that are looked up.
const FEWEST_DIGITS: usize = 4;

/// The run that `text` means: `last`, an id, or the beginning of exactly one.
///
/// # Errors
/// When there is none, or more than one.
pub fn find_run(reader: &Reader, text: &str) -> Result<RunId, QueryError> {
    if text == "last" {
        return reader.latest_run()?.ok_or(QueryError::NoRunYet);
    }
    let prefix = text.to_ascii_lowercase();
    let Some((lowest, highest)) = run_range(&prefix) else { return Err(QueryError::NotARun(text.to_owned())) };
    // The newest two at or below the highest id with this beginning: more are not needed to know.
    let before = RunId::from_i64(highest.as_i64().saturating_add(1));
    let filter = RunFilter { before: Some(before), limit: 2, ..RunFilter::default() };
    let found: Vec<RunId> = reader.runs(&filter)?.into_iter().map(|row| row.run).filter(|run| *run >= lowest).collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(QueryError::NoRunLike(prefix)),
        [one, other, ..] => Err(QueryError::ManyRuns { prefix, one: *one, other: *other }),
    }
}

/// The lowest and the highest id that begin with `prefix`; nothing when no id can.
fn run_range(prefix: &str) -> Option<(RunId, RunId)> {
    if prefix.is_empty() || prefix.len() > RUN_LENGTH || !prefix.is_ascii() {
        return None;
    }
    let filled = |digit: &str| format!("{prefix}{}", digit.repeat(RUN_LENGTH - prefix.len()));
    let lowest = filled("0").parse().ok()?;
    // The first letter of the largest ids has no room for every digit behind it.
    let highest = filled("z").parse().unwrap_or(RunId::from_i64(i64::MAX));
    Some((lowest, highest))
}

/// The artifact that `text` means: a digest with or without `sha256:`, or the beginning of exactly one.
///
/// # Errors
/// When there is none, or more than one.
pub fn find_artifact(artifacts: &Artifacts, text: &str) -> Result<Digest, QueryError> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    if let Ok(digest) = format!("sha256:{hex}").parse() {
        return Ok(digest);
    }
    if hex.len() < FEWEST_DIGITS || hex.len() > 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(QueryError::NotAnArtifact { text: text.to_owned(), fewest: FEWEST_DIGITS });
    }
    let found = match artifacts.beginning_with(&hex) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(QueryError::Artifacts(error));
        }
        found => found.unwrap_or_default(),
    };
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(QueryError::NoArtifact(hex)),
        many => Err(QueryError::ManyArtifacts { hex, count: many.len() }),
    }
}

/// The workflow of this name; a broken file of that name tells what is wrong with it.
///
/// # Errors
/// When there is none that can be run.
pub fn find_workflow<'p>(project: &'p Project, name: &str) -> Result<&'p Arc<Plan>, QueryError> {
    if let Some(plan) = project.workflows.get(name) {
        return Ok(plan);
    }
    if let Some(problem) = project.problem_of(name) {
        let reason = &problem.reason;
        return Err(QueryError::BrokenWorkflow {
            name: name.to_owned(),
            reason: reason.to_string(),
            code: reason.code(),
            message: reason.message(),
            has_places: reason.has_places(),
        });
    }
    Err(no_workflow(project, name))
}

/// That the project has no workflow of this name, and which one may be meant.
#[must_use]
pub fn no_workflow(project: &Project, name: &str) -> QueryError {
    let known: Vec<&str> = project.workflows.keys().map(String::as_str).collect();
    let remedy = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => known_workflows(known.into_iter()),
    };
    QueryError::NoWorkflow { name: name.to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_spans_the_ids_that_begin_with_it() {
        let id = RunId::next(None, 1_800_000_000_000, 0x12_3456);
        let text = id.to_string();
        for length in 1..=13 {
            let (lowest, highest) = run_range(&text[..length]).unwrap();
            assert!(lowest <= id && id <= highest, "{length}");
        }
        assert_eq!(run_range(&text).unwrap(), (id, id));
        let (_, highest) = run_range("0").unwrap();
        assert!(highest < id);
        for bad in ["", "u", "00000000000000", "é", "zzzz"] {
            assert!(run_range(bad).is_none(), "{bad}");
        }
        assert_eq!(run_range("7").unwrap().1, RunId::from_i64(i64::MAX));
    }
}
