//! A file of rows with names for its values, whatever its form: what a plugin works with that does not care whether CSV or
//! JSON lines came.

use std::io::BufRead;

use serde_json::{Map, Value};

use crate::{
    ReadError,
    csv::{self, Reader, Record},
    field::{self, Kind, Typed},
    form::{self, Form},
    json::clip,
    lines::{Line, Lines},
};

/// Reads rows one by one.
#[derive(Debug)]
pub struct Table<R> {
    source: Source<R>,
}

#[derive(Debug)]
enum Source<R> {
    Csv { reader: Reader<R>, record: Record, header: Header },
    Lines(Lines<R>),
}

/// The header of a CSV file.
#[derive(Debug)]
pub struct Header {
    /// The names of the columns.
    pub names: Vec<String>,
    /// Its bytes in the file, line end included, byte order mark not.
    pub raw: Vec<u8>,
    /// Whether a byte order mark stands before it.
    pub has_mark: bool,
    /// What stands between the fields.
    pub delimiter: u8,
}

/// A column of a table.
#[derive(Debug)]
pub struct Column {
    name: String,
    /// Its place in the header of CSV.
    place: Option<usize>,
}

/// The values of a row.
#[derive(Debug)]
pub enum Row<'t> {
    /// Of CSV.
    Fields(&'t Record),
    /// Of JSON lines.
    Object(Map<String, Value>),
    /// What can not be taken as it stands, and why.
    Bad(String),
}

impl<R: BufRead> Table<R> {
    /// Starts at the beginning of a file; the header of CSV is read at once.
    ///
    /// # Errors
    /// When reading fails; for a CSV file without a header or with a broken one; for a JSON document, which is no stream of
    /// rows.
    pub fn open(input: R, form: Form) -> Result<Self, ReadError> {
        let delimiter = match form {
            Form::Csv(delimiter) => delimiter,
            Form::Lines => return Ok(Self { source: Source::Lines(Lines::new(input)) }),
            Form::Document => {
                let what = "a JSON document: CSV and JSON lines are read here; say `format` if it is one of them";
                return Err(ReadError::Header(what.to_owned()));
            }
        };
        let (mut reader, mut record) = (Reader::new(input, delimiter), Record::default());
        if !reader.read(&mut record)? {
            return Err(csv::no_header());
        }
        let names = csv::header(&record)?;
        let header = Header { names, raw: record.raw.clone(), has_mark: reader.has_mark(), delimiter };
        Ok(Self { source: Source::Csv { reader, record, header } })
    }

    /// The same for a file whose form is [chosen](form::chosen).
    ///
    /// # Errors
    /// Those of both.
    pub fn open_as(
        mut input: R,
        format: Option<&str>,
        delimiter: Option<&str>,
        about: (&str, &str),
    ) -> Result<Self, ReadError> {
        let form = form::chosen(format, delimiter, about, &mut input)?;
        Self::open(input, form)
    }

    /// The header, of CSV.
    pub const fn header(&self) -> Option<&Header> {
        match &self.source {
            Source::Csv { header, .. } => Some(header),
            Source::Lines(_) => None,
        }
    }

    /// A column by its name. In JSON lines any may be there; a row without it has no value in it.
    ///
    /// # Errors
    /// When CSV has none of this name.
    pub fn column(&self, name: &str) -> Result<Column, ReadError> {
        let Some(header) = self.header() else { return Ok(Column { name: name.to_owned(), place: None }) };
        match header.names.iter().position(|known| known == name) {
            Some(place) => Ok(Column { name: name.to_owned(), place: Some(place) }),
            None => {
                let known = clip(&header.names.join("`, `"), 200);
                Err(ReadError::Header(format!("column `{}` is missing; there are `{known}`", clip(name, 80))))
            }
        }
    }

    /// Goes to the next row; false at the end.
    ///
    /// # Errors
    /// When reading fails, or a row is too long to be one.
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        match &mut self.source {
            Source::Csv { reader, record, .. } => reader.read(record),
            Source::Lines(lines) => lines.advance(),
        }
    }

    /// What the row holds that [`Table::advance`] went to.
    pub fn row(&self) -> Row<'_> {
        match &self.source {
            Source::Csv { record, header, .. } => match record.defect(header.names.len()) {
                Some((reason, at)) => Row::Bad(match at.and_then(|at| header.names.get(at)) {
                    Some(name) => format!("column `{name}`: {reason}"),
                    None => reason,
                }),
                None => Row::Fields(record),
            },
            Source::Lines(lines) => match lines.parse() {
                Line::Object(object) => Row::Object(object),
                Line::Bad(reason) => Row::Bad(reason),
            },
        }
    }

    /// The line on which it begins, from 1.
    pub const fn line(&self) -> u64 {
        match &self.source {
            Source::Csv { record, .. } => record.line,
            Source::Lines(lines) => lines.number(),
        }
    }

    /// Its bytes in the file, line end included.
    pub fn raw(&self) -> &[u8] {
        match &self.source {
            Source::Csv { record, .. } => &record.raw,
            Source::Lines(lines) => lines.raw(),
        }
    }
}

impl Row<'_> {
    /// The value of a column in this type; `None` where it is missing. `nulls` as for [`field::is_null`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn value(
        &self,
        column: &Column,
        kind: Kind,
        nulls: Option<&[String]>,
    ) -> Result<Option<Typed<'_>>, &'static str> {
        match self {
            Self::Fields(record) => match column.place.and_then(|place| record.field(place)) {
                None => Ok(None),
                Some(text) if field::is_null(Some(kind), text, nulls) => Ok(None),
                Some(text) => field::read_text(kind, text).map(Some),
            },
            Self::Object(object) => match object.get(&column.name) {
                None | Some(Value::Null) => Ok(None),
                Some(value) => field::read_json(kind, value).map(Some),
            },
            Self::Bad(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, form: Form) -> Vec<String> {
        let mut table = Table::open(text.as_bytes(), form).unwrap();
        let (a, mut seen) = (table.column("a").unwrap(), Vec::new());
        while table.advance().unwrap() {
            let row = table.row();
            seen.push(match (&row, row.value(&a, Kind::Integer, None)) {
                (Row::Bad(reason), _) => format!("{}: {reason}", table.line()),
                (_, Ok(value)) => value.map_or("-".to_owned(), |value| value.key()),
                (_, Err(reason)) => reason.to_owned(),
            });
        }
        seen
    }

    #[test]
    fn csv_and_json_lines_give_the_same_values() {
        let csv = "b,a\nx,18446744073709551615\n,\ny,1.5\nz\n";
        assert_eq!(
            rows(csv, Form::Csv(b',')),
            ["18446744073709551615", "-", "not a whole number", "5: 1 fields where the header has 2"]
        );
        let lines = "{\"a\":18446744073709551615}\n{}\n{\"a\":1.5}\n[]\n";
        assert_eq!(
            rows(lines, Form::Lines),
            ["18446744073709551615", "-", "not a whole number", "4: not a JSON object"]
        );
    }

    #[test]
    fn what_has_no_rows_is_told() {
        assert!(Table::open(&b""[..], Form::Csv(b',')).unwrap_err().to_string().contains("not even a header"));
        assert!(Table::open(&b"[]"[..], Form::Document).unwrap_err().to_string().contains("JSON document"));
        assert!(Table::open(&b"a,a\n"[..], Form::Csv(b',')).unwrap_err().to_string().contains("twice"));
        let error = Table::open(&b"a,b\n"[..], Form::Csv(b',')).unwrap().column("c").unwrap_err().to_string();
        assert_eq!(error, "column `c` is missing; there are `a`, `b`");
    }
}
