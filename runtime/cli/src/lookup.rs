//! From what people type to the thing they mean: runs and artifacts by the beginning of their ids, names nearly right.

use std::io;

use trackside_engine::RunId;
use trackside_node::{Project, known_workflows};
use trackside_spec::{Digest, Plan, nearest};
use trackside_store::{Artifacts, Reader, RunFilter};

use crate::{failure::Failure, output::escape};

/// Letters and digits of a run id.
const RUN_LENGTH: usize = 13;
/// Fewest hexadecimal digits of an artifact's digest that are looked up.
const FEWEST_DIGITS: usize = 4;

/// The run that `text` means: `last`, an id, or the beginning of exactly one.
pub fn run(reader: &Reader, text: &str) -> Result<RunId, Failure> {
    if text == "last" {
        let last = reader.latest_run()?;
        return last.ok_or_else(|| Failure::usage("[TS-0811] there is no run yet"));
    }
    let prefix = text.to_ascii_lowercase();
    let Some((lowest, highest)) = run_range(&prefix) else {
        let text = escape(text);
        return Err(Failure::usage(format!(
            "[TS-0812] {text:?} is no run: give an id as `trackside runs list` prints it, its beginning, or `last`"
        )));
    };
    // The newest two at or below the highest id with this beginning: more are not needed to know.
    let before = RunId::from_i64(highest.as_i64().saturating_add(1));
    let filter = RunFilter { before: Some(before), limit: 2, ..RunFilter::default() };
    let found: Vec<RunId> = reader.runs(&filter)?.into_iter().map(|row| row.run).filter(|run| *run >= lowest).collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => {
            Err(Failure::usage(format!("[TS-0811] there is no run {prefix}; `trackside runs list` prints the newest")))
        }
        [one, other, ..] => Err(Failure::usage(format!(
            "[TS-0813] more than one run begins with {prefix}: {one}, {other}; give more of it"
        ))),
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
pub fn artifact(artifacts: &Artifacts, text: &str) -> Result<Digest, Failure> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text).to_ascii_lowercase();
    if let Ok(digest) = format!("sha256:{hex}").parse() {
        return Ok(digest);
    }
    if hex.len() < FEWEST_DIGITS || hex.len() > 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let text = escape(text);
        return Err(Failure::usage(format!(
            "[TS-0814] {text:?} is no artifact: give `sha256:` and its digits, or at least the first {FEWEST_DIGITS} of them"
        )));
    }
    let known = match artifacts.list() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Failure::unable(format!("[TS-0851] cannot list the artifacts: {error}")));
        }
        listed => listed.unwrap_or_default(),
    };
    let found: Vec<Digest> = known.into_iter().filter(|digest| digest.hex().starts_with(&hex)).collect();
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(Failure::usage(format!("[TS-0815] no artifact begins with {hex}"))),
        many => Err(Failure::usage(format!("[TS-0816] {} artifacts begin with {hex}; give more of it", many.len()))),
    }
}

/// The workflow of this name; a broken file of that name tells what is wrong with it.
pub fn workflow<'p>(project: &'p Project, name: &str) -> Result<&'p std::sync::Arc<Plan>, Failure> {
    if let Some(plan) = project.workflows.get(name) {
        return Ok(plan);
    }
    if let Some(problem) = project.problem_of(name) {
        return Err(Failure::usage(format!("workflow `{}` can not be run:\n{}", escape(name), problem.reason)));
    }
    Err(Failure::usage(no_workflow(project, name)))
}

/// That the project has no workflow of this name, and which one may be meant.
pub fn no_workflow(project: &Project, name: &str) -> String {
    let known: Vec<&str> = project.workflows.keys().map(String::as_str).collect();
    let remedy = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => known_workflows(known.into_iter()),
    };
    format!("[TS-0817] there is no workflow `{}`; {remedy}", escape(name))
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
