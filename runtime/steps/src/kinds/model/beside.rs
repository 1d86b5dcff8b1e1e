//! What a model says of each row, beside the row: a list of objects, so that a decision needs no plugin.

use std::io::Write;

use serde_json::{Map, Value};
use trackside_engine::StepError;
use trackside_models::{Output, tensor_io};
use trackside_rows::field;
use trackside_serving::Answer;
use trackside_spec::{ArtifactRef, Digest, Tensor};
use trackside_store::Hold;

use super::{
    INLINE_ELEMENTS,
    asked::Source,
    rows::{LOOK_EVERY, Reader, Table, disk, refused},
};
use crate::contracts::row::Cell;

/// What comes back for a table of so many rows.
pub(super) struct Beside<'s> {
    pub(super) reader: Reader<'s>,
    pub(super) source: &'s Source,
    pub(super) rows: u64,
}

impl Beside<'_> {
    /// The rows with what the model says of them: a list, or JSON lines in an artifact where there is much of it.
    pub(super) fn rows(&self, hold: &Hold, output: &Answer) -> Result<(Value, Option<Digest>), StepError> {
        let said: Vec<(&str, PerRow<'_>)> = output
            .outputs
            .iter()
            .filter_map(|(name, output)| Some((name.as_str(), PerRow::of(output, self.rows)?)))
            .collect();
        let mut table = self.reader.open(self.source)?;
        let kept = self.kept(&mut table, &said)?;
        let mut table = self.reader.open(self.source)?;
        let wide = kept.len() + said.iter().map(|(_, said)| said.width()).sum::<usize>();
        let small = usize::try_from(self.rows).unwrap_or(usize::MAX).saturating_mul(wide.max(1)) <= INLINE_ELEMENTS;
        let (mut list, mut lines) = (Vec::new(), if small { None } else { Some(hold.create().map_err(disk)?) });
        let limit = self.reader.workshop.config.limits.tensor.as_bytes();
        let (mut row, mut written) = (0_usize, 0_u64);
        while table.advance().map_err(|error| refused(error.to_string()))? {
            if (row as u64).is_multiple_of(LOOK_EVERY) && self.reader.cancel.is_cancelled() {
                return Err(StepError::fatal("cancelled", "stopped while its rows were written"));
            }
            let mut fields = Map::new();
            let names = table.names();
            for (at, name) in names.into_iter().enumerate().filter(|(_, name)| kept.contains(name)) {
                let value = cell(&table, &name, at);
                fields.insert(name, value);
            }
            for (name, said) in &said {
                fields.insert((*name).to_owned(), said.at(row)?);
            }
            row += 1;
            match &mut lines {
                None => list.push(Value::Object(fields)),
                Some(lines) => {
                    let mut line = serde_json::to_vec(&fields).map_err(|error| refused(error.to_string()))?;
                    line.push(b'\n');
                    written += line.len() as u64;
                    if written > limit {
                        let words = format!(
                            "the rows with what the model says take more than limits.tensor ({limit} bytes); `keep: []` leaves their columns out"
                        );
                        return Err(StepError::fatal("output-not-stored", words));
                    }
                    lines.write_all(&line).map_err(disk)?;
                }
            }
        }
        match lines {
            None => Ok((list.into(), None)),
            Some(lines) => {
                let stored: ArtifactRef = lines.finish("rows.jsonl", "application/jsonl").map_err(disk)?;
                Ok((stored.to_json(), Some(stored.digest)))
            }
        }
    }

    /// The columns that come back. One with the name of an output would be lost.
    fn kept(&self, table: &mut Table, said: &[(&str, PerRow<'_>)]) -> Result<Vec<String>, StepError> {
        let known = if let Table::Csv { names, .. } = &*table {
            names.clone()
        } else {
            let mut known: Vec<String> = Vec::new();
            while table.advance().map_err(|error| refused(error.to_string()))? {
                for name in table.names() {
                    if !known.contains(&name) {
                        known.push(name);
                    }
                }
                if known.len() > MOST_COLUMNS {
                    return Err(refused(format!(
                        "the rows have more than {MOST_COLUMNS} columns; `keep` says which come back"
                    )));
                }
            }
            known
        };
        let kept = match &self.source.keep {
            None => known,
            Some(keep) => keep.clone(),
        };
        match kept.iter().find(|name| said.iter().any(|(output, _)| output == name)) {
            None => Ok(kept),
            Some(name) => Err(refused(format!(
                "the rows have a column `{name}`, and so is an output of the model called: say with `keep: [..]` which \
                 columns come back beside what the model says"
            ))),
        }
    }
}

/// Most columns of a table without a header.
const MOST_COLUMNS: usize = 16_384;

/// An output that has something for each row.
enum PerRow<'o> {
    Tensor(&'o Tensor, usize),
    List(&'o [Value]),
}

impl<'o> PerRow<'o> {
    fn of(output: &'o Output, rows: u64) -> Option<Self> {
        match output {
            Output::Tensor(tensor) => {
                let first = tensor.shape().first().copied()?;
                (u64::from(first) == rows).then(|| Self::Tensor(tensor, tensor.len() / (first as usize).max(1)))
            }
            Output::Json(Value::Array(items)) => (items.len() as u64 == rows).then_some(Self::List(items)),
            Output::Json(_) => None,
        }
    }

    /// How many values it has for a row.
    fn width(&self) -> usize {
        match self {
            Self::Tensor(_, width) => *width,
            Self::List(items) => items.first().map_or(1, |item| Output::Json(item.clone()).values()),
        }
    }

    /// What it says of a row: one value alone stands for itself.
    fn at(&self, row: usize) -> Result<Value, StepError> {
        match self {
            Self::List(items) => Ok(items.get(row).cloned().unwrap_or_default()),
            Self::Tensor(tensor, width) => {
                let shape = if *width == 1 { Vec::new() } else { tensor.shape().get(1..).unwrap_or_default().to_vec() };
                let places = row * width..(row + 1) * width;
                let part = match tensor.element().size() {
                    None => Tensor::from_text(shape, tensor.text().get(places).unwrap_or_default().to_vec()),
                    Some(size) => {
                        let bytes = tensor.data().get(places.start * size..places.end * size).unwrap_or_default();
                        Tensor::from_bytes(tensor.element(), shape, bytes.to_vec())
                    }
                };
                part.map(|part| tensor_io::to_json(&part)).map_err(|error| refused(error.to_string()))
            }
        }
    }
}

/// A value of a row as JSON: in CSV a number where JSON would have one.
fn cell(table: &Table, name: &str, at: usize) -> Value {
    match table.cell(name, Some(at)) {
        Cell::Nothing => Value::Null,
        Cell::Text(text) if field::is_null(None, text, None) => Value::Null,
        Cell::Text(text) => field::infer_number(text.trim()).map_or_else(|| text.into(), |number| number.to_json()),
        Cell::Json(value) => value.clone(),
    }
}
