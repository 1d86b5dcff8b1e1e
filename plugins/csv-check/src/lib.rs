//! `csv-check`: reads CSV and JSONL, checks every row against a contract, passes clean rows on as JSONL.
//!
//! `trackside_rows` takes text apart and gives values their types, the same for the node's own data contracts;
//! [`contract`] says what is promised, [`value`] checks one value, [`check`] goes through the rows. Nothing holds more
//! than one row, so that a file may be larger than memory.

mod check;
mod contract;
mod value;

use std::io::BufRead;

use serde::{Deserialize, Serialize};
use trackside_rows::{
    ReadError,
    csv::{self, Reader, Record},
    form::{self, Form},
    lines::{Line, Lines},
};
use trackside_sdk::{Artifact, ArtifactRef, Port, Step, StepError};

use crate::{
    check::{Check, ColumnReport, Problem},
    contract::Contract,
};

/// The largest contract that is read.
const MAX_CONTRACT: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    #[serde(rename = "file")]
    _file: ArtifactRef,
    #[serde(default, rename = "schema")]
    schema: Option<ArtifactRef>,
    #[serde(default)]
    contract: Option<Contract>,
    format: Option<String>,
    delimiter: Option<String>,
    #[serde(default = "yes")]
    header: bool,
    nulls: Option<Vec<String>>,
    #[serde(default)]
    on_bad: OnBad,
}

#[derive(Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OnBad {
    #[default]
    Fail,
    Drop,
}

/// The output document.
#[derive(Serialize)]
pub struct Output {
    row_count: u64,
    bad_rows: u64,
    columns: Vec<ColumnReport>,
    problems: Vec<Problem>,
}

fn yes() -> bool {
    true
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    let file = step.input("file")?;
    let mut contract = contract(&input, step)?;
    contract.check()?;
    let stem = file.name().rsplit_once('.').map_or(file.name(), |(stem, _)| stem);
    let target = step.create("rows", &format!("{stem}.jsonl"), "application/jsonl")?;
    let mut check = Check::new(&mut contract, target);
    let result = match form(&input, &file)? {
        Form::Csv(delimiter) => csv_rows(&file, &input, delimiter, &mut check, step),
        Form::Lines => jsonl(&file, &mut check, step),
        Form::Document => Err(StepError::fatal(
            "bad-input",
            "a JSON document: csv-check reads CSV and JSON lines; say `format` if it is one of them",
        )),
    };
    result
        .and_then(|()| check.finish(&contract, input.on_bad == OnBad::Drop))
        .map_err(|error| error.context(file.name()))
}

fn contract(input: &Input, step: &Step) -> Result<Contract, StepError> {
    match (&input.schema, &input.contract) {
        (Some(_), Some(_)) => Err(StepError::fatal("bad-input", "give `schema` or `contract`, not both")),
        (Some(_), None) => {
            let schema = step.input("schema")?;
            schema.json(MAX_CONTRACT).map_err(|error| {
                StepError::fatal("bad-contract", error.message().to_owned()).context("the contract cannot be read")
            })
        }
        (None, Some(contract)) => Ok(contract.clone()),
        (None, None) => Ok(Contract::default()),
    }
}

/// As the workflow says, else as the file does.
fn form(input: &Input, file: &Artifact) -> Result<Form, StepError> {
    let about = (file.name(), file.media_type());
    form::chosen(input.format.as_deref(), input.delimiter.as_deref(), about, &mut file.reader()?).map_err(unreadable)
}

fn jsonl(file: &Artifact, check: &mut Check, step: &Step) -> Result<(), StepError> {
    let mut lines = Lines::new(file.reader()?);
    while let Some(line) = lines.read().map_err(unreadable)? {
        let number = lines.number();
        stop_when_cancelled(number, step)?;
        match line {
            Line::Object(object) => check.json_row(number, object)?,
            Line::Bad(reason) => check.broken_row(number, None, reason),
        }
    }
    match check.never_seen() {
        missing if missing.is_empty() => Ok(()),
        missing => Err(absent(&missing)),
    }
}

fn csv_rows(file: &Artifact, input: &Input, delimiter: u8, check: &mut Check, step: &Step) -> Result<(), StepError> {
    let mut reader = Reader::new(file.reader()?, delimiter);
    let mut record = Record::default();
    let columns = header(&mut reader, &mut record, input.header, check)?;
    // Without a header the first record is a row already.
    let mut more = !input.header && !record.is_empty() || reader.read(&mut record).map_err(unreadable)?;
    while more {
        stop_when_cancelled(record.line, step)?;
        match record.defect(columns.len()) {
            Some((reason, at)) => {
                let name = at.and_then(|at| columns[at]).map(|column| check.name(column).to_owned());
                check.broken_row(record.line, name, reason);
            }
            None => {
                let fields = record.fields().map(Option::unwrap_or_default);
                check.text_row(record.line, columns.iter().copied().zip(fields), input.nulls.as_deref())?;
            }
        }
        more = reader.read(&mut record).map_err(unreadable)?;
    }
    Ok(())
}

/// The column of each field. Reads the first record; when there is no header it stays in `record` as the first row.
fn header<R: BufRead>(
    reader: &mut Reader<R>,
    record: &mut Record,
    named: bool,
    check: &mut Check,
) -> Result<Vec<Option<usize>>, StepError> {
    if !reader.read(record).map_err(unreadable)? {
        let missing = check.missing_columns(&[]);
        return if named || !missing.is_empty() { Err(unreadable(csv::no_header())) } else { Ok(Vec::new()) };
    }
    if named {
        let names = csv::header(record).map_err(unreadable)?;
        let columns = names.iter().map(|name| check.column(name, record.line)).collect::<Result<_, _>>()?;
        return require(check, columns);
    }
    let known = check.column_count();
    let names: Vec<String> = (known + 1..=record.len()).map(|at| format!("column_{at}")).collect();
    let declared = (0..known.min(record.len())).map(Some);
    let rest = names.iter().map(|name| check.column(name, record.line)).collect::<Result<Vec<_>, _>>()?;
    require(check, declared.chain(rest).collect())
}

fn unreadable(error: ReadError) -> StepError {
    match error {
        ReadError::Io(error) => error.into(),
        ReadError::Option(what) => StepError::fatal("bad-input", what),
        other => StepError::fatal("bad-data", other.to_string()),
    }
}

fn require(check: &Check, columns: Vec<Option<usize>>) -> Result<Vec<Option<usize>>, StepError> {
    match check.missing_columns(&columns) {
        missing if missing.is_empty() => Ok(columns),
        missing => Err(absent(&missing)),
    }
}

fn absent(columns: &[String]) -> StepError {
    StepError::fatal("bad-data", format!("column `{}` is missing", columns.join("`, `")))
}

/// Asks the host now and then: a call per row would cost more than the row.
fn stop_when_cancelled(line: u64, step: &Step) -> Result<(), StepError> {
    if line.is_multiple_of(16_384) && step.cancelled() {
        return Err(StepError::fatal("cancelled", format!("stopped at line {line}")));
    }
    Ok(())
}

trackside_sdk::plugin! {
    name: "csv-check",
    summary: "Reads CSV and JSONL, checks every row, passes clean rows on as JSONL",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [
        Port::new("file", "The file to check").required()
            .media_type("text/csv").media_type("application/jsonl").media_type("text/plain"),
        Port::new("schema", "The contract, as JSON").media_type("application/json"),
    ],
    outputs: [Port::new("rows", "Clean rows, one JSON object per line").media_type("application/jsonl")],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests;
