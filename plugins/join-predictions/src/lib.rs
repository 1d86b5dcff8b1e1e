//! `join-predictions`: each row together with what a model said of it.
//!
//! [`held`] is a model's output in memory, [`index`] says which line of it is about which row, [`write`] puts values beside
//! a row. The rows themselves are read in order and never held.

mod held;
mod index;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trackside_rows::{
    ReadError,
    table::{Row, Table},
};
use trackside_sdk::{Artifact, ArtifactRef, Port, Reader, Step, StepError, tensor};

use crate::{held::Held, index::Index, write::Writer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(rename = "rows")]
    _rows: ArtifactRef,
    outputs: Map<String, Value>,
    #[serde(default)]
    names: BTreeMap<String, Vec<String>>,
    index: Option<ArtifactRef>,
    #[serde(default)]
    unmatched: Unmatched,
    format: Option<String>,
    delimiter: Option<String>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unmatched {
    #[default]
    Fail,
    Empty,
    Drop,
}

#[derive(Serialize)]
struct Output {
    row_count: u64,
    columns: Vec<String>,
    unmatched: u64,
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    let file = step.input("rows")?;
    let outputs = held::all(&input.outputs, &input.names, step)?;
    let table = open(&file, &input)?;
    let mut index = match &input.index {
        Some(_) => Some(Index::read(&step.input("index")?, &table).map_err(|error| error.context("index"))?),
        None => None,
    };
    let lines = same_length(&outputs, index.as_ref())?;
    let target = step.create("rows", file.name(), file.media_type())?;
    let mut writer = Writer::new(target, &table, outputs)?;
    let joined = join(table, &input, &mut index, lines, &mut writer, step);
    let (row_count, unmatched) = joined.map_err(|error| error.context(file.name()))?;
    Ok(Output { row_count, columns: writer.commit()?, unmatched })
}

/// Goes through the rows; how many were written, and how many had no prediction.
fn join(
    mut table: Table<Reader>,
    input: &Input,
    index: &mut Option<Index>,
    lines: u64,
    writer: &mut Writer,
    step: &Step,
) -> Result<(u64, u64), StepError> {
    let (mut rows, mut written, mut unmatched) = (0u64, 0u64, 0u64);
    while table.advance().map_err(unreadable)? {
        let at = table.line();
        if rows.is_multiple_of(16_384) && step.cancelled() {
            return Err(StepError::fatal("cancelled", format!("stopped at line {at}")));
        }
        rows += 1;
        let row = table.row();
        if let Row::Bad(reason) = &row {
            return Err(StepError::fatal("bad-data", format!("line {at}: {reason}")));
        }
        let place = match index {
            // What there are too many of is counted to the end.
            None if rows > lines => continue,
            None => Some(rows - 1),
            Some(index) => index.find(&row, at)?,
        };
        if place.is_none() {
            unmatched += 1;
            match input.unmatched {
                Unmatched::Empty => {}
                Unmatched::Drop => continue,
                Unmatched::Fail => {
                    let why = "no line of the index is about this row; `unmatched: empty` or `drop` lets it pass";
                    return Err(mismatch(format!("line {at}: {why}")));
                }
            }
        }
        written += 1;
        writer.row(&row, table.raw(), place).map_err(|error| error.context(format_args!("line {at}")))?;
    }
    match index {
        None if rows != lines => {
            let why = "are these the rows that the model was asked about?";
            Err(mismatch(format!("{rows} rows, and the outputs have {lines} lines: {why}")))
        }
        None => Ok((written, unmatched)),
        Some(index) => index.all_found().map(|()| (written, unmatched)),
    }
}

/// How many lines the outputs have, all the same, and as many as the index.
fn same_length(outputs: &[Held], index: Option<&Index>) -> Result<u64, StepError> {
    let Some(first) = outputs.first() else {
        return Err(StepError::fatal("bad-input", "outputs: name at least one"));
    };
    if let Some(other) = outputs.iter().find(|output| output.lines() != first.lines()) {
        let (a, b) = (first, other);
        let what = format!("`{}` has {} lines, `{}` has {}", a.name(), a.lines(), b.name(), b.lines());
        return Err(mismatch(what));
    }
    match index.map(Index::len).filter(|length| *length != first.lines()) {
        Some(length) => {
            Err(mismatch(format!("the index has {length} lines, `{}` has {}", first.name(), first.lines())))
        }
        None => Ok(first.lines()),
    }
}

fn open(file: &Artifact, input: &Input) -> Result<Table<Reader>, StepError> {
    let about = (file.name(), file.media_type());
    Table::open_as(file.reader()?, input.format.as_deref(), input.delimiter.as_deref(), about)
        .map_err(|error| unreadable(error).context(file.name()))
}

pub(crate) fn unreadable(error: ReadError) -> StepError {
    match error {
        ReadError::Io(error) => error.into(),
        ReadError::Option(what) => StepError::fatal("bad-input", what),
        other => StepError::fatal("bad-data", other.to_string()),
    }
}

pub(crate) fn mismatch(what: String) -> StepError {
    StepError::fatal("row-mismatch", what)
}

trackside_sdk::plugin! {
    name: "join-predictions",
    summary: "Writes each row together with what a model said of it",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [
        Port::new("rows", "Rows: CSV with a header, or JSON lines").required()
            .media_type("text/csv").media_type("application/jsonl").media_type("text/plain"),
        Port::new("outputs", "Outputs of a model that are no lists").many()
            .media_type(tensor::MEDIA_TYPE).media_type("application/json"),
        Port::new("index", "Per line of the outputs the key of its row").media_type("application/jsonl"),
    ],
    outputs: [Port::new("rows", "The rows with the new values, in their own form")],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests;
