//! CSV, record by record: never more than one of them in memory.

use std::io::{self, BufRead};

use super::row::{LONGEST_ROW, ReadError};

/// One record. Its buffers serve the next one too.
#[derive(Debug, Default)]
pub struct Record {
    /// The bytes as they are in the file, line end included.
    pub raw: Vec<u8>,
    /// The line that it begins on, from 1.
    pub line: u64,
    /// What is wrong with its form.
    pub broken: Option<&'static str>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field without its quotes.
    pub fn field(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.text.get(start..end)
    }

    fn clear(&mut self, line: u64) {
        self.raw.clear();
        self.text.clear();
        self.ends.clear();
        self.broken = None;
        self.line = line;
    }

    /// A line without anything on it.
    fn is_blank(&self) -> bool {
        self.raw.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }
}

/// Where the reader stands within a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Bare,
    Quoted,
    /// After a quote within quotes: the end of them, or the first half of a doubled one.
    Quote,
}

/// A reader of records.
pub struct CsvReader<R> {
    input: R,
    delimiter: u8,
    line: u64,
}

impl<R: BufRead> CsvReader<R> {
    /// Reads from the start of a file. A byte order mark must have been taken off.
    pub const fn new(input: R, delimiter: u8) -> Self {
        Self { input, delimiter, line: 1 }
    }

    /// Reads the next record that is not a blank line; false at the end.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        loop {
            record.clear(self.line);
            if !self.read_any(record)? {
                return Ok(false);
            }
            if !record.is_blank() {
                return Ok(true);
            }
        }
    }

    fn read_any(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        let mut state = State::Start;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if chunk.is_empty() {
                if record.raw.is_empty() {
                    return Ok(false);
                }
                end_field(record, state);
                return Ok(true);
            }
            let (mut used, mut over) = (0, false);
            for &byte in chunk {
                used += 1;
                if byte == b'\n' {
                    self.line += 1;
                }
                if byte == b'\n' && state != State::Quoted {
                    over = true;
                    break;
                }
                state = step(record, state, byte, self.delimiter);
            }
            record.raw.extend_from_slice(&chunk[..used]);
            self.input.consume(used);
            if record.raw.len() > LONGEST_ROW {
                return Err(ReadError::TooLong { line: record.line });
            }
            if over {
                end_field(record, state);
                return Ok(true);
            }
        }
    }
}

fn step(record: &mut Record, state: State, byte: u8, delimiter: u8) -> State {
    match (state, byte) {
        (State::Start, b'"') => State::Quoted,
        (State::Start | State::Bare | State::Quote, byte) if byte == delimiter => {
            record.ends.push(record.text.len());
            State::Start
        }
        (State::Start | State::Bare, byte) => {
            record.text.push(byte);
            State::Bare
        }
        (State::Quoted, b'"') => State::Quote,
        (State::Quoted, byte) => {
            record.text.push(byte);
            State::Quoted
        }
        (State::Quote, b'"') => {
            record.text.push(b'"');
            State::Quoted
        }
        (State::Quote, b'\r') => State::Quote,
        (State::Quote, byte) => {
            record.broken = Some("text after a closing quote");
            record.text.push(byte);
            State::Bare
        }
    }
}

/// Ends the last field of a record.
fn end_field(record: &mut Record, state: State) {
    match state {
        State::Quoted => record.broken = Some("a quote that is not closed"),
        State::Bare if record.text.last() == Some(&b'\r') => {
            record.text.pop();
        }
        State::Start | State::Bare | State::Quote => {}
    }
    record.ends.push(record.text.len());
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// All records, with a buffer so small that every state meets its end.
    fn records(text: &str) -> Vec<(u64, Vec<String>, Option<&'static str>)> {
        let mut reader = CsvReader::new(BufReader::with_capacity(2, text.as_bytes()), b',');
        let (mut record, mut found, mut raw) = (Record::default(), Vec::new(), Vec::new());
        while reader.read(&mut record).unwrap() {
            let fields = (0..record.len()).map(|at| String::from_utf8(record.field(at).unwrap().to_vec()).unwrap());
            found.push((record.line, fields.collect(), record.broken));
            raw.extend_from_slice(&record.raw);
        }
        let blank_free: String = text.split_inclusive('\n').filter(|line| !line.trim_end().is_empty()).collect();
        assert_eq!(String::from_utf8(raw).unwrap(), blank_free, "the bytes of a record are those of the file");
        found
    }

    fn fields(text: &str) -> Vec<Vec<String>> {
        records(text).into_iter().map(|(_, fields, _)| fields).collect()
    }

    #[test]
    fn fields_quotes_and_line_ends_are_those_of_the_standard() {
        assert_eq!(fields("a,b\n1,2\n"), [["a", "b"], ["1", "2"]]);
        assert_eq!(fields("a,b\r\n1,\r\n"), [["a", "b"], ["1", ""]]);
        assert_eq!(fields("\"x,\"\"y\"\"\",5\" pipe\r\n"), [["x,\"y\"", "5\" pipe"]]);
        assert_eq!(fields("\"\",\"a\"\r\n"), [["", "a"]]);
        assert_eq!(fields("last"), [["last"]]);
        assert!(fields("").is_empty());
    }

    #[test]
    fn a_record_over_several_lines_tells_the_first() {
        let found = records("a\n\"one\ntwo\"\nb\n");
        let lines: Vec<u64> = found.iter().map(|(line, ..)| *line).collect();
        assert_eq!(lines, [1, 2, 4]);
        assert_eq!(found[1].1, ["one\ntwo"]);
    }

    #[test]
    fn blank_lines_are_no_records_and_count_as_lines() {
        let found = records("a\n\n\r\nb\n");
        assert_eq!(found.iter().map(|(line, ..)| *line).collect::<Vec<_>>(), [1, 4]);
    }

    #[test]
    fn broken_quotes_are_told() {
        assert_eq!(records("\"a\"b,c\n")[0].2, Some("text after a closing quote"));
        assert_eq!(records("\"a\nb")[0].2, Some("a quote that is not closed"));
    }

    #[test]
    fn a_record_that_does_not_end_is_given_up() {
        let text = format!("a\n\"{}", "x\n".repeat(LONGEST_ROW));
        let mut reader = CsvReader::new(text.as_bytes(), b',');
        let mut record = Record::default();
        assert!(reader.read(&mut record).unwrap());
        assert!(matches!(reader.read(&mut record), Err(ReadError::TooLong { line: 2 })));
    }
}
