//! Rows of a table, whatever its form: CSV with a header, JSON lines, a list of objects.

use std::io::{self, BufRead, Read};

use serde_json::{Map, Value};

use super::csv::{CsvReader, Record};

/// Longest row, in bytes.
pub const LONGEST_ROW: usize = 1 << 20;
/// Most columns of a CSV file.
pub const MAX_COLUMNS: usize = 16_384;

/// Why the rows can not be read to their end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A row without end.
    #[error("line {line}: a row of more than {LONGEST_ROW} bytes; is a quote not closed?")]
    TooLong {
        /// Where it begins.
        line: u64,
    },
    /// The header.
    #[error("{0}")]
    Header(String),
}

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Null, an absent key, an empty field.
    Nothing,
    /// A field of CSV.
    Text(&'a str),
    /// A field of CSV that is not UTF-8.
    Bytes,
    /// A value of a JSON object.
    Json(&'a Value),
}

/// A table that gives its rows one after the other.
pub enum Table<R> {
    /// With a header.
    Csv {
        /// The rest of the file.
        reader: CsvReader<R>,
        /// The row that was read last.
        record: Record,
        /// The header as it is in the file.
        header: Vec<u8>,
        /// The names in it.
        names: Vec<String>,
    },
    /// One object a line.
    Lines {
        /// The rest of the file.
        input: R,
        /// The line that was read last.
        raw: Vec<u8>,
        /// Its number.
        line: u64,
        /// The object on it.
        row: Option<Map<String, Value>>,
        /// What is wrong with its form.
        broken: Option<&'static str>,
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
    pub fn csv(mut input: R, delimiter: u8) -> Result<Self, ReadError> {
        let mark = skip_mark(&mut input)?;
        let mut reader = CsvReader::new(input, delimiter);
        let mut record = Record::default();
        if !reader.read(&mut record)? {
            return Err(ReadError::Header("it has no header".to_owned()));
        }
        if record.len() > MAX_COLUMNS {
            return Err(ReadError::Header(format!("{} columns; the limit is {MAX_COLUMNS}", record.len())));
        }
        let name = |at| String::from_utf8(record.field(at).unwrap_or_default().to_vec());
        let names: Result<Vec<String>, _> = (0..record.len()).map(name).collect();
        let names = names.map_err(|_| ReadError::Header("the header is not UTF-8".to_owned()))?;
        let mut header = if mark { vec![0xef, 0xbb, 0xbf] } else { Vec::new() };
        header.extend_from_slice(&record.raw);
        end_line(&mut header);
        Ok(Self::Csv { reader, record, header, names })
    }

    /// JSON lines.
    pub fn lines(mut input: R) -> Result<Self, ReadError> {
        skip_mark(&mut input)?;
        Ok(Self::Lines { input, raw: Vec::new(), line: 0, row: None, broken: None })
    }

    /// A list.
    pub const fn list(items: Vec<Value>) -> Self {
        Self::List { items, next: 0 }
    }

    /// Where a column is in the header: none in a table without one, where every row has its own.
    pub fn position(&self, name: &str) -> Option<Vec<usize>> {
        let Self::Csv { names, .. } = self else { return None };
        Some(names.iter().enumerate().filter(|(_, known)| *known == name).map(|(at, _)| at).collect())
    }

    /// Goes to the next row; false at the end.
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        match self {
            Self::Csv { reader, record, .. } => reader.read(record),
            Self::Lines { input, raw, line, row, broken } => loop {
                raw.clear();
                *line += 1;
                if input.by_ref().take(LONGEST_ROW as u64 + 1).read_until(b'\n', raw)? == 0 {
                    return Ok(false);
                }
                if raw.len() > LONGEST_ROW {
                    return Err(ReadError::TooLong { line: *line });
                }
                if raw.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                (*row, *broken) = match serde_json::from_slice(raw) {
                    Ok(Value::Object(fields)) => (Some(fields), None),
                    Ok(_) => (None, Some("not an object")),
                    Err(_) => (None, Some("not JSON")),
                };
                return Ok(true);
            },
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
            Self::Lines { line, .. } => *line,
            Self::List { next, .. } => *next as u64,
        }
    }

    /// What is wrong with the row's form.
    pub fn broken(&self) -> Option<String> {
        match self {
            Self::Csv { record, names, .. } => match record.broken {
                Some(reason) => Some(reason.to_owned()),
                None if record.len() != names.len() => {
                    Some(format!("{} fields where the header has {}", record.len(), names.len()))
                }
                None => None,
            },
            Self::Lines { broken, .. } => broken.map(str::to_owned),
            Self::List { items, next } => {
                let item = items.get(next.saturating_sub(1));
                (!item.is_some_and(Value::is_object)).then(|| "not an object".to_owned())
            }
        }
    }

    /// A value of the row, by the column's name and its place in the header.
    pub fn cell(&self, name: &str, at: Option<usize>) -> Cell<'_> {
        let json = |value: Option<&'_ Value>| value.is_some_and(|value| !value.is_null());
        match self {
            Self::Csv { record, .. } => match at.and_then(|at| record.field(at)) {
                None | Some([]) => Cell::Nothing,
                Some(bytes) => std::str::from_utf8(bytes).map_or(Cell::Bytes, Cell::Text),
            },
            Self::Lines { row, .. } => {
                let value = row.as_ref().and_then(|row| row.get(name));
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
            Self::Lines { raw, .. } => out.extend_from_slice(raw),
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
    if line.last() != Some(&b'\n') {
        line.push(b'\n');
    }
}

/// Takes a byte order mark off.
fn skip_mark(input: &mut impl BufRead) -> io::Result<bool> {
    let there = input.fill_buf()?.starts_with(&[0xef, 0xbb, 0xbf]);
    if there {
        input.consume(3);
    }
    Ok(there)
}
