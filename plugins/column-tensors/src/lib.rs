//! `column-tensors`: columns of rows to tensors, one for each input of a model.
//!
//! The file is read twice: once to check every value and count the rows, and, unless the tensors are small, once more to
//! write them. [`element`] is one value, [`sink`] a tensor on its way out. Nothing holds more than one row of a large file.

mod element;
mod sink;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trackside_rows::{
    ReadError,
    json::clip,
    table::{Column, Row, Table},
};
use trackside_sdk::{Artifact, ArtifactRef, Outcome, Port, Reader, Step, StepError, tensor};

use crate::{
    element::{Cell, Type},
    sink::{Held, Sink},
};

/// The most rows.
const MAX_ROWS: u64 = 10_000_000;

/// The most tensors: each is a file that is open while it is written.
const MAX_TENSORS: usize = 48;

/// The most values of a row, all tensors together.
const MAX_VALUES: usize = 16_384;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(rename = "rows")]
    _rows: ArtifactRef,
    tensors: BTreeMap<String, Spec>,
    format: Option<String>,
    delimiter: Option<String>,
    nulls: Option<Vec<String>>,
    #[serde(default)]
    empty: Empty,
}

/// What a tensor is made of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(rename = "type")]
    kind: Type,
    columns: Option<Vec<String>>,
    #[serde(default = "two")]
    rank: u8,
    fill: Option<Value>,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Empty {
    #[default]
    Fail,
    Skip,
    Allow,
}

#[derive(Serialize)]
struct Output {
    tensors: Map<String, Value>,
    row_count: u64,
    filled: u64,
}

fn two() -> u8 {
    2
}

/// A tensor after every check.
pub(crate) struct Tensor<'i> {
    name: &'i str,
    kind: Type,
    columns: Vec<&'i str>,
    rank: u8,
    fill: Option<Cell<'i>>,
}

impl Tensor<'_> {
    /// Its shape, with so many rows.
    fn shape(&self, rows: u64) -> Vec<u64> {
        if self.rank == 1 { vec![rows] } else { vec![rows, self.columns.len() as u64] }
    }
}

fn run(input: Input, step: &Step) -> Result<Outcome<Output>, StepError> {
    let file = step.input("rows")?;
    let tensors = tensors(&input)?;
    let mut held = Held::new(&tensors);
    let mut counts = Counts::default();
    let mut first = open(&file, &input)?;
    read(&mut first, &tensors, &input, &mut counts, step, &mut |at, cell| {
        held.push(at, cell);
        Ok(())
    })
    .map_err(|error| error.context(file.name()))?;
    if counts.rows == 0 && input.empty != Empty::Allow {
        let reason = format!("{} has no rows", file.name());
        return match input.empty {
            Empty::Skip => Ok(Outcome::Skipped(reason)),
            _ => Err(StepError::fatal("no-rows", reason)),
        };
    }
    let made = match held.into_json(&tensors, counts.rows) {
        Some(made) => made,
        None => files(&file, &tensors, &input, counts.rows, step)?,
    };
    Ok(Outcome::Done(Output { tensors: made, row_count: counts.rows, filled: counts.filled }))
}

fn tensors(input: &Input) -> Result<Vec<Tensor<'_>>, StepError> {
    if input.tensors.is_empty() || input.tensors.len() > MAX_TENSORS {
        return Err(bad(format!("tensors: {}; 1 to {MAX_TENSORS} are possible", input.tensors.len())));
    }
    let mut made = Vec::with_capacity(input.tensors.len());
    for (name, spec) in &input.tensors {
        let columns: Vec<&str> = match &spec.columns {
            None => vec![name],
            Some(columns) => columns.iter().map(String::as_str).collect(),
        };
        if columns.is_empty() {
            return Err(bad(format!("tensors: `{name}`: columns: name at least one")));
        }
        if !matches!((spec.rank, columns.len()), (2, _) | (1, 1)) {
            let why = "rank: 2, or 1 with one column";
            return Err(bad(format!("tensors: `{name}`: {why}")));
        }
        let fill = spec.fill.as_ref().map(|fill| spec.kind.fill(fill)).transpose();
        let fill = fill.map_err(|why| bad(format!("tensors: `{name}`: fill: {why}")))?;
        made.push(Tensor { name, kind: spec.kind, columns, rank: spec.rank, fill });
    }
    let values: usize = made.iter().map(|tensor| tensor.columns.len()).sum();
    if values > MAX_VALUES {
        return Err(bad(format!("tensors: {values} values of each row; at most {MAX_VALUES} are possible")));
    }
    Ok(made)
}

fn bad(what: String) -> StepError {
    StepError::fatal("bad-input", what)
}

fn open(file: &Artifact, input: &Input) -> Result<Table<Reader>, StepError> {
    let about = (file.name(), file.media_type());
    Table::open_as(file.reader()?, input.format.as_deref(), input.delimiter.as_deref(), about)
        .map_err(|error| unreadable(error).context(file.name()))
}

fn unreadable(error: ReadError) -> StepError {
    match error {
        ReadError::Io(error) => error.into(),
        ReadError::Option(what) => StepError::fatal("bad-input", what),
        other => StepError::fatal("bad-data", other.to_string()),
    }
}

#[derive(Default)]
struct Counts {
    rows: u64,
    filled: u64,
}

/// Reads all rows and gives every value on, with the place of its tensor.
///
/// # Errors
/// `bad-data` with the number of bad rows and the first three of them; whatever `take` fails with.
fn read(
    table: &mut Table<Reader>,
    tensors: &[Tensor<'_>],
    input: &Input,
    counts: &mut Counts,
    step: &Step,
    take: &mut dyn FnMut(usize, Cell<'_>) -> Result<(), StepError>,
) -> Result<(), StepError> {
    let mut columns: Vec<(usize, &str, Column)> = Vec::new();
    for (at, tensor) in tensors.iter().enumerate() {
        for name in &tensor.columns {
            columns.push((at, name, table.column(name).map_err(unreadable)?));
        }
    }
    let (mut total, mut bad_rows, mut told) = (0u64, 0u64, Vec::new());
    while table.advance().map_err(unreadable)? {
        let line = table.line();
        if total.is_multiple_of(16_384) && step.cancelled() {
            return Err(StepError::fatal("cancelled", format!("stopped at line {line}")));
        }
        total += 1;
        if total > MAX_ROWS {
            let what = format!("line {line}: more than {MAX_ROWS} rows; split the file");
            return Err(StepError::fatal("too-large", what));
        }
        let row = table.row();
        let wrong = if let Row::Bad(reason) = &row {
            Some(reason.clone())
        } else {
            values(&row, tensors, &columns, input, counts, take)?
        };
        if let Some(reason) = wrong {
            bad_rows += 1;
            if told.len() < 3 {
                told.push(format!("line {line}, {reason}"));
            }
        }
    }
    if bad_rows > 0 {
        let more = if bad_rows > 3 { "; …" } else { "" };
        let message = format!("{bad_rows} of {total} rows are bad: {}{more}", told.join("; "));
        return Err(StepError::fatal("bad-data", message));
    }
    counts.rows = total;
    Ok(())
}

/// Gives the values of a row on; what is wrong with the first that is wrong.
fn values(
    row: &Row<'_>,
    tensors: &[Tensor<'_>],
    columns: &[(usize, &str, Column)],
    input: &Input,
    counts: &mut Counts,
    take: &mut dyn FnMut(usize, Cell<'_>) -> Result<(), StepError>,
) -> Result<Option<String>, StepError> {
    for (at, name, column) in columns {
        let tensor = &tensors[*at];
        let wrong = |why: &str| Ok(Some(format!("column `{}`: {why}", clip(name, 80))));
        let cell = match row.value(column, tensor.kind.kind(), input.nulls.as_deref()) {
            Err(why) => return wrong(why),
            Ok(Some(value)) => tensor.kind.cell(value),
            Ok(None) => match tensor.fill {
                None => return wrong("missing, and `fill` says nothing"),
                Some(fill) => {
                    counts.filled += 1;
                    Ok(fill)
                }
            },
        };
        match cell {
            Ok(cell) => take(*at, cell)?,
            Err(why) => return wrong(&why),
        }
    }
    Ok(None)
}

/// Writes every tensor as an artifact, in a second reading.
fn files(
    file: &Artifact,
    tensors: &[Tensor<'_>],
    input: &Input,
    rows: u64,
    step: &Step,
) -> Result<Map<String, Value>, StepError> {
    let mut sinks = tensors.iter().map(|tensor| Sink::new(tensor, rows, step)).collect::<Result<Vec<_>, _>>()?;
    let mut table = open(file, input)?;
    read(&mut table, tensors, input, &mut Counts::default(), step, &mut |at, cell| sinks[at].push(cell))?;
    let mut made = Map::new();
    for (tensor, sink) in tensors.iter().zip(sinks) {
        let artifact = sink.commit()?;
        let reference = ArtifactRef {
            artifact: artifact.digest().unwrap_or_default(),
            name: artifact.name().to_owned(),
            media_type: artifact.media_type().to_owned(),
            size: artifact.size(),
        };
        made.insert(tensor.name.to_owned(), serde_json::to_value(reference)?);
    }
    Ok(made)
}

trackside_sdk::plugin! {
    name: "column-tensors",
    summary: "Reads columns of rows into tensors, one for each input of a model",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [
        Port::new("rows", "Rows: CSV with a header, or JSON lines").required()
            .media_type("text/csv").media_type("application/jsonl").media_type("text/plain"),
    ],
    outputs: [
        Port::new("files", "The tensors that are no lists, by name in `tensors`").many()
            .media_type(tensor::MEDIA_TYPE).media_type("application/json"),
    ],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests;
