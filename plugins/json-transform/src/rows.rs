//! JSON lines: one document a line.

use jaq_json::Val;
use trackside_rows::{ReadError, lines::Lines};
use trackside_sdk::{Artifact, Step, StepError};

use crate::{Output, convert, filter::Filter};

/// Runs the filter over each line and writes its results, one a line. Never more than one line is held.
///
/// # Errors
/// With the line, when it is no JSON or the filter fails on it.
pub fn each(
    file: &Artifact,
    filter: &Filter,
    args: &[(String, Val)],
    max: usize,
    step: &Step,
) -> Result<Output, StepError> {
    let stem = file.name().rsplit_once('.').map_or(file.name(), |(stem, _)| stem);
    let mut target = step.create("rows", &format!("{stem}.jsonl"), "application/jsonl")?;
    let mut lines = Lines::new(file.reader()?);
    let (mut line_count, mut row_count) = (0, 0);
    while let Some((number, document)) = next(file, &mut lines)? {
        line_count += 1;
        if number.is_multiple_of(4_096) && step.cancelled() {
            return Err(StepError::fatal("cancelled", format!("stopped at line {number}")));
        }
        let results = filter.run(document, args.to_vec(), max);
        for value in results.map_err(|error| error.context(format_args!("{}, line {number}", file.name())))? {
            row_count += 1;
            target.json_line(&value)?;
        }
    }
    target.commit()?;
    Ok(Output::Rows { line_count, row_count })
}

/// All lines as one list.
///
/// # Errors
/// `too-large` for a file of more than `max` bytes; as [`each`].
pub fn all(file: &Artifact, max: u64) -> Result<Val, StepError> {
    if file.size() > max {
        let message = format!("{} has {} bytes; with `slurp` at most {max} are read", file.name(), file.size());
        return Err(StepError::fatal("too-large", message));
    }
    let (mut lines, mut items) = (Lines::new(file.reader()?), Vec::new());
    while let Some((_, document)) = next(file, &mut lines)? {
        items.push(document);
    }
    Ok(convert::list(items))
}

fn next<R: std::io::BufRead>(file: &Artifact, lines: &mut Lines<R>) -> Result<Option<(u64, Val)>, StepError> {
    let more = lines.advance().map_err(|error| match error {
        ReadError::Io(error) => error.into(),
        other => StepError::fatal("bad-json", format!("{}, {other}", file.name())),
    })?;
    if !more {
        return Ok(None);
    }
    let number = lines.number();
    let document = convert::from_json(lines.raw(), &format!("{}, line {number}", file.name()))?;
    Ok(Some((number, document)))
}
