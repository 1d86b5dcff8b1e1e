//! New values beside a row, whose own bytes stay as they are.

use std::{
    fmt::Write as _,
    io::{BufRead, Write as _},
};

use serde_json::Value;
use trackside_rows::table::{Row, Table};
use trackside_sdk::{ArtifactWriter, StepError};

use crate::held::Held;

/// The file on its way out.
pub struct Writer {
    target: ArtifactWriter,
    outputs: Vec<Held>,
    names: Vec<String>,
    /// Of CSV; JSON lines have none.
    delimiter: Option<char>,
    line: String,
}

impl Writer {
    /// Begins the file, with the header of CSV.
    ///
    /// # Errors
    /// `bad-input` when a column has a name of the new ones.
    pub fn new<R: BufRead>(target: ArtifactWriter, table: &Table<R>, outputs: Vec<Held>) -> Result<Self, StepError> {
        let header = table.header();
        let names = outputs.iter().flat_map(|output| if header.is_some() { output.columns() } else { output.keys() });
        let names: Vec<String> = names.collect();
        let delimiter = header.map(|header| char::from(header.delimiter));
        let mut writer = Self { target, outputs, names, delimiter, line: String::new() };
        if let (Some(header), Some(delimiter)) = (header, delimiter) {
            if let Some(twice) = writer.names.iter().find(|name| header.names.contains(name)) {
                return Err(taken(twice));
            }
            for name in &writer.names {
                push_field(&mut writer.line, delimiter, name);
            }
            if header.has_mark {
                writer.target.write_all(b"\xef\xbb\xbf")?;
            }
            writer.write_csv(&header.raw)?;
        }
        Ok(writer)
    }

    /// Writes a row with the values of a line of the outputs, or without any.
    ///
    /// # Errors
    /// `bad-input` when the row has a key of the new ones; when writing fails.
    pub fn row(&mut self, row: &Row<'_>, raw: &[u8], place: Option<u64>) -> Result<(), StepError> {
        self.line.clear();
        if let Some(delimiter) = self.delimiter {
            for value in self.outputs.iter().flat_map(|output| output.values(place)) {
                match value {
                    Value::Null => self.line.push(delimiter),
                    Value::String(text) => push_field(&mut self.line, delimiter, &text),
                    other => push_field(&mut self.line, delimiter, &other.to_string()),
                }
            }
            return self.write_csv(raw);
        }
        let Row::Object(object) = row else { return Ok(()) };
        if let Some(twice) = self.names.iter().find(|name| object.contains_key(*name)) {
            return Err(taken(twice));
        }
        let values = self.outputs.iter().flat_map(|output| output.of_keys(place));
        for (at, (name, value)) in self.names.iter().zip(values).enumerate() {
            let comma = if at == 0 && object.is_empty() { "" } else { "," };
            // Writing to a `String` cannot fail.
            let _ = write!(self.line, "{comma}{}:{value}", Value::from(name.as_str()));
        }
        // What is an object ends with its bracket.
        let own = raw.trim_ascii();
        self.target.write_all(own.strip_suffix(b"}").unwrap_or(own))?;
        self.target.write_all(self.line.as_bytes())?;
        self.target.write_all(b"}\n")?;
        Ok(())
    }

    /// A record, the new fields, its line end.
    fn write_csv(&mut self, raw: &[u8]) -> Result<(), StepError> {
        let end = raw.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        self.target.write_all(&raw[..end])?;
        self.target.write_all(self.line.as_bytes())?;
        self.target.write_all(&raw[end..])?;
        Ok(())
    }

    /// Makes it durable; what was added to each row.
    ///
    /// # Errors
    /// When the disk fails or a quota is used up.
    pub fn commit(self) -> Result<Vec<String>, StepError> {
        self.target.commit()?;
        Ok(self.names)
    }
}

fn taken(name: &str) -> StepError {
    let help = "choose another name under `outputs` or `names`";
    StepError::fatal("bad-input", format!("the rows have a column `{name}` already: {help}"))
}

/// Appends a field, in quotes where it needs them.
fn push_field(line: &mut String, delimiter: char, text: &str) {
    line.push(delimiter);
    let special = |c: char| c == delimiter || matches!(c, '"' | '\r' | '\n');
    if text.contains(special) || text.starts_with(' ') || text.ends_with(' ') {
        line.push('"');
        line.push_str(&text.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(text);
    }
}
