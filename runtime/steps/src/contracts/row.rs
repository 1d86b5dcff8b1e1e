//! Rows of a table, whatever its form: CSV with a header, JSON lines, a list of objects.

use std::io::BufRead;

use serde_json::Value;
use trackside_rows::{
    ReadError,
    csv::{self, Reader, Record},
    lines::{Line, Lines},
};

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Null, an absent key, an empty field.
    Nothing,
    /// A field of CSV.
    Text(&'a str),
    /// A value of a JSON object.
    Json(&'a Value),
}

/// A table that gives its rows one after the other.
pub enum Table<R> {
    /// With a header.
    Csv {
        /// The rest of the file.
        reader: Reader<R>,
        /// The row that was read last.
        record: Record,
        /// The header as it is in the file.
        header: Vec<u8>,
        /// The names in it.
        names: Vec<String>,
    },
    /// One object a line.
    Lines {
        /// The rest of the file and the line that was read last.
        lines: Lines<R>,
        /// That line; none before the first.
        row: Option<Line>,
    },
    /// A list in memory.
    List {
        /// The list.
        items: Vec<Value>,
        /// The number of the next one, from 0.
        next: usize,
    },
}

impl<R: BufRead> Table<R> {
    /// CSV; reads the header.
    pub fn csv(input: R, delimiter: u8) -> Result<Self, ReadError> {
        let mut reader = Reader::new(input, delimiter);
        let mut record = Record::default();
        if !reader.read(&mut record)? {
            return Err(csv::no_header());
        }
        let names = csv::header(&record)?;
        let mut header = if reader.has_mark() { vec![0xef, 0xbb, 0xbf] } else { Vec::new() };
        header.extend_from_slice(&record.raw);
        end_line(&mut header);
        Ok(Self::Csv { reader, record, header, names })
    }

    /// JSON lines.
    pub const fn lines(input: R) -> Self {
        Self::Lines { lines: Lines::new(input), row: None }
    }

    /// A list.
    pub const fn list(items: Vec<Value>) -> Self {
        Self::List { items, next: 0 }
    }

    /// Where a column is in the header, if it is there: none in a table without a header, where every row has its own.
    pub fn position(&self, name: &str) -> Option<Option<usize>> {
        let Self::Csv { names, .. } = self else { return None };
        Some(names.iter().position(|known| known == name))
    }

    /// The names of the row's columns, in their order: those of the header, or the keys of the object.
    pub fn names(&self) -> Vec<String> {
        let keys = |fields: &serde_json::Map<String, Value>| fields.keys().cloned().collect();
        match self {
            Self::Csv { names, .. } => names.clone(),
            Self::Lines { row: Some(Line::Object(fields)), .. } => keys(fields),
            Self::Lines { .. } => Vec::new(),
            Self::List { items, next } => {
                items.get(next.saturating_sub(1)).and_then(Value::as_object).map(keys).unwrap_or_default()
            }
        }
    }

    /// Goes to the next row; false at the end.
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        match self {
            Self::Csv { reader, record, .. } => reader.read(record),
            Self::Lines { lines, row } => {
                let Some(line) = lines.read()? else { return Ok(false) };
                *row = Some(line);
                Ok(true)
            }
            Self::List { items, next } => {
                *next += 1;
                Ok(*next <= items.len())
            }
        }
    }

    /// Where the row is: its line, or its number in a list, from 1.
    pub fn line(&self) -> u64 {
        match self {
            Self::Csv { record, .. } => record.line,
            Self::Lines { lines, .. } => lines.number(),
            Self::List { next, .. } => *next as u64,
        }
    }

    /// What is wrong with the row's form, and the column where it is one field's fault.
    pub fn broken(&self) -> Option<(String, Option<&str>)> {
        match self {
            Self::Csv { record, names, .. } => {
                let (reason, at) = record.defect(names.len())?;
                Some((reason, at.and_then(|at| names.get(at)).map(String::as_str)))
            }
            Self::Lines { row: Some(Line::Bad(reason)), .. } => Some((reason.clone(), None)),
            Self::Lines { .. } => None,
            Self::List { items, next } => {
                let item = items.get(next.saturating_sub(1));
                (!item.is_some_and(Value::is_object)).then(|| ("not a JSON object".to_owned(), None))
            }
        }
    }

    /// A value of the row, by the column's name and its place in the header.
    pub fn cell(&self, name: &str, at: Option<usize>) -> Cell<'_> {
        let json = |value: Option<&'_ Value>| value.is_some_and(|value| !value.is_null());
        match self {
            Self::Csv { record, .. } => match at.and_then(|at| record.field(at)) {
                None => Cell::Nothing,
                Some(text) => Cell::Text(text),
            },
            Self::Lines { row, .. } => {
                let value = match row {
                    Some(Line::Object(fields)) => fields.get(name),
                    Some(Line::Bad(_)) | None => None,
                };
                if json(value) { value.map_or(Cell::Nothing, Cell::Json) } else { Cell::Nothing }
            }
            Self::List { items, next } => {
                let value = items.get(next.saturating_sub(1)).and_then(|item| item.get(name));
                if json(value) { value.map_or(Cell::Nothing, Cell::Json) } else { Cell::Nothing }
            }
        }
    }

    /// What stands before the first row of a file.
    pub fn header(&self) -> &[u8] {
        match self {
            Self::Csv { header, .. } => header,
            Self::Lines { .. } | Self::List { .. } => &[],
        }
    }

    /// The row as a line of a file: its own bytes, or JSON.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Csv { record, .. } => out.extend_from_slice(&record.raw),
            Self::Lines { lines, .. } => out.extend_from_slice(lines.raw()),
            Self::List { items, next } => {
                if let Some(item) = items.get(next.saturating_sub(1)) {
                    out.extend_from_slice(item.to_string().as_bytes());
                }
            }
        }
        end_line(out);
    }
}

/// Ends the last line, where the file did not.
fn end_line(line: &mut Vec<u8>) {
    if !matches!(line.last(), Some(b'\n' | b'\r')) {
        line.push(b'\n');
    }
}
