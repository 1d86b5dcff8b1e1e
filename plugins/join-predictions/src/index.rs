//! Which line of the outputs is about which row: an index of lines with a `key`, as `window-features` writes it.

use std::{collections::HashMap, io::BufRead};

use serde_json::{Map, Value};
use trackside_rows::{
    field::Kind,
    json::clip,
    lines::{Line, Lines},
    table::{Column, Row, Table},
};
use trackside_sdk::{Artifact, StepError};

use crate::{mismatch, unreadable};

/// The most lines: their keys are held.
const MAX_LINES: usize = 200_000;

/// The most bytes of all keys.
const MAX_BYTES: usize = 16 << 20;

/// An index.
pub struct Index {
    key: Vec<(String, Column, Kind)>,
    /// The line of the outputs, and whether a row was found for it.
    lines: HashMap<String, (u64, bool)>,
}

impl Index {
    /// Reads an index for the rows of this table.
    ///
    /// # Errors
    /// `bad-data` for lines without a key, or with one of another form than the first; `row-mismatch` for a key that is there
    /// twice; `too-large`.
    pub fn read<R: BufRead>(file: &Artifact, table: &Table<R>) -> Result<Self, StepError> {
        let mut source = Lines::new(file.reader()?);
        let mut index = Self { key: Vec::new(), lines: HashMap::new() };
        let mut bytes = 0;
        while let Some(line) = source.read().map_err(unreadable)? {
            let number = source.number();
            let wrong = |what: String| StepError::fatal("bad-data", format!("line {number}: {what}"));
            let key = match line {
                Line::Bad(reason) => return Err(wrong(reason)),
                Line::Object(mut object) => match object.remove("key") {
                    Some(Value::Object(key)) if !key.is_empty() => key,
                    _ => {
                        return Err(wrong(
                            "no `key`: give window-features the columns that tell a row from others".into(),
                        ));
                    }
                },
            };
            if index.key.is_empty() {
                index.key = columns(&key, table).map_err(|what| wrong(what.to_string()))?;
            }
            let text = index.of_index(&key).map_err(wrong)?;
            bytes += text.len();
            if index.lines.len() == MAX_LINES || bytes > MAX_BYTES {
                let what = format!("line {number}: at most {MAX_LINES} lines and {MAX_BYTES} bytes of keys are held");
                return Err(StepError::fatal("too-large", what));
            }
            let place = index.lines.len() as u64;
            if index.lines.insert(text, (place, false)).is_some() {
                return Err(mismatch(format!("line {number}: the key {} is there twice", shown(&key))));
            }
        }
        Ok(index)
    }

    /// How many lines it has.
    pub fn len(&self) -> u64 {
        self.lines.len() as u64
    }

    /// The line that is about a row.
    ///
    /// # Errors
    /// `bad-data` for a value that is not of the key's type; `row-mismatch` when another row had this key.
    pub fn find(&mut self, row: &Row<'_>, at: u64) -> Result<Option<u64>, StepError> {
        let mut text = String::new();
        for (name, column, kind) in &self.key {
            match row.value(column, *kind, None) {
                Ok(Some(value)) => push(&mut text, &value.key()),
                Ok(None) => return Ok(None),
                Err(why) => {
                    let what = format!("line {at}, column `{}` of the key: {why}", clip(name, 80));
                    return Err(StepError::fatal("bad-data", what));
                }
            }
        }
        match self.lines.get_mut(&text) {
            None => Ok(None),
            Some((_, true)) => Err(mismatch(format!("line {at}: a row before this one has the same key"))),
            Some((place, found)) => {
                *found = true;
                Ok(Some(*place))
            }
        }
    }

    /// Fails unless every line has found its row.
    ///
    /// # Errors
    /// `row-mismatch`
    pub fn all_found(&self) -> Result<(), StepError> {
        let lost = self.lines.values().filter(|(_, found)| !found);
        let first = lost.clone().map(|(place, _)| place + 1).min();
        first.map_or(Ok(()), |first| {
            let (count, all) = (lost.count(), self.lines.len());
            Err(mismatch(format!(
                "{count} of {all} lines of the index are about no row here; the first is number {first}"
            )))
        })
    }

    fn of_index(&self, key: &Map<String, Value>) -> Result<String, String> {
        if key.len() != self.key.len() {
            return Err("its key has other columns than the first line's".into());
        }
        let mut text = String::new();
        for (name, _, kind) in &self.key {
            let value = key.get(name).ok_or("its key has other columns than the first line's")?;
            let typed = trackside_rows::field::read_json(*kind, value)
                .map_err(|why| format!("`{}` of the key: {why}", clip(name, 80)))?;
            push(&mut text, &typed.key());
        }
        Ok(text)
    }
}

/// The columns of a key and their types, as its first line has them.
fn columns<R: BufRead>(key: &Map<String, Value>, table: &Table<R>) -> Result<Vec<(String, Column, Kind)>, StepError> {
    let column = |(name, value): (&String, &Value)| {
        let kind = match value {
            Value::String(_) => Kind::String,
            Value::Number(_) => Kind::Number,
            Value::Bool(_) => Kind::Boolean,
            _ => {
                let what = format!("`{}` of the key is no text, number or truth value", clip(name, 80));
                return Err(StepError::fatal("bad-data", what));
            }
        };
        Ok((name.clone(), table.column(name).map_err(unreadable)?, kind))
    };
    key.iter().map(column).collect()
}

/// Appends a part of a key, so that no two keys have the same text.
fn push(text: &mut String, part: &str) {
    text.push_str(&part.len().to_string());
    text.push(':');
    text.push_str(part);
}

fn shown(key: &Map<String, Value>) -> String {
    clip(&Value::Object(key.clone()).to_string(), 120)
}
