//! CSV, record by record: RFC 4180 with any one-byte delimiter. A line ends at `\n`, `\r\n` or `\r`; fields in quotes may
//! hold line ends; a byte order mark at the start and blank lines are passed over. Strict where a lenient reader would
//! guess: what is wrong with a record is told, not repaired.
//!
//! Own code rather than `csv-core`: that one repairs quotes in silence, and gives neither the bytes of a record nor its
//! line when lines end in `\r`. The tests hold this reader against it.

use std::{collections::HashSet, io::BufRead};

use crate::{MAX_ROW, ReadError, chunk, finish_line_end, skip_mark};

/// The most columns of a file.
pub const MAX_COLUMNS: usize = 16_384;

/// What is wrong with the form of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// `"a"b`
    TextAfterQuote,
    /// `a"b`
    StrayQuote,
    /// `"a` and then nothing more.
    OpenQuote,
    /// A byte that no text holds.
    Nul,
    /// The field with this number, from 0, is not UTF-8.
    NotUtf8(usize),
}

impl Broken {
    /// For people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TextAfterQuote => "text after a closing quote",
            Self::StrayQuote => "a quote inside of an unquoted field",
            Self::OpenQuote => "a quote that is never closed",
            Self::Nul => "a NUL byte; is the file UTF-16?",
            Self::NotUtf8(_) => "not UTF-8",
        }
    }
}

/// One record. Its buffers serve the next one too.
#[derive(Debug, Default)]
pub struct Record {
    /// The bytes as they are in the file, line end included, byte order mark not.
    pub raw: Vec<u8>,
    /// The line on which it begins, from 1.
    pub line: u64,
    /// What is wrong with its form.
    pub broken: Option<Broken>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    /// How many fields it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it holds no record at all, as before the first one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A field without its quotes; `None` where there is none, or one that is not UTF-8.
    #[must_use]
    pub fn field(&self, index: usize) -> Option<&str> {
        std::str::from_utf8(self.bytes(index)?).ok()
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|index| self.field(index))
    }

    /// What is wrong with it as a row of a table with so many columns: the reason, and the place of the field where it
    /// is one field's fault.
    #[must_use]
    pub fn defect(&self, columns: usize) -> Option<(String, Option<usize>)> {
        match self.broken {
            // A place beyond the header has no name.
            Some(broken @ Broken::NotUtf8(at)) => {
                Some((broken.reason().to_owned(), Some(at).filter(|at| *at < columns)))
            }
            Some(broken) => Some((broken.reason().to_owned(), None)),
            None if self.len() != columns => {
                Some((format!("{} fields where the header has {columns}", self.len()), None))
            }
            None => None,
        }
    }

    fn bytes(&self, index: usize) -> Option<&[u8]> {
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

    fn blame(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
    }

    fn end_field(&mut self) {
        self.ends.push(self.text.len());
    }

    /// Looks at the text once it is whole.
    fn finish(&mut self, state: State) {
        self.end_field();
        if state == State::Quoted {
            self.blame(Broken::OpenQuote);
        }
        if self.text.contains(&0) {
            self.blame(Broken::Nul);
        }
        if !self.text.is_ascii() {
            let bad = (0..self.len()).find(|&at| self.field(at).is_none());
            if let Some(at) = bad {
                self.blame(Broken::NotUtf8(at));
            }
        }
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

/// Reads records one by one.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    delimiter: u8,
    /// The line that comes next, from 1; 0 before the start.
    line: u64,
    marked: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads from the start of a file.
    pub const fn new(input: R, delimiter: u8) -> Self {
        Self { input, delimiter, line: 0, marked: false }
    }

    /// Whether the file starts with a byte order mark; known once a record was read.
    pub const fn has_mark(&self) -> bool {
        self.marked
    }

    /// Reads the next record that is not a blank line; false at the end.
    ///
    /// # Errors
    /// When reading fails; for a record over [`MAX_ROW`] bytes, after which reading can not go on.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        loop {
            record.clear(self.line.max(1));
            if self.line == 0 {
                self.line = 1;
                let (marked, ahead) = skip_mark(&mut self.input)?;
                self.marked = marked;
                record.raw.extend_from_slice(&ahead);
                record.text.extend_from_slice(&ahead);
            }
            if !self.read_any(record)? {
                return Ok(false);
            }
            if !record.is_blank() {
                return Ok(true);
            }
        }
    }

    fn read_any(&mut self, record: &mut Record) -> Result<bool, ReadError> {
        let mut state = if record.text.is_empty() { State::Start } else { State::Bare };
        // A carriage return in quotes that was counted: a line feed after it is the same line's end.
        let mut returned = false;
        loop {
            let ready = chunk(&mut self.input)?;
            if ready.is_empty() {
                if record.raw.is_empty() {
                    return Ok(false);
                }
                record.finish(state);
                return Ok(true);
            }
            let (mut used, mut over) = (0, false);
            while used < ready.len() {
                // Most bytes mean nothing of their own: take them in one go.
                if matches!(state, State::Bare | State::Quoted) {
                    let run = plain(&ready[used..], state == State::Quoted, self.delimiter);
                    record.text.extend_from_slice(&ready[used..used + run]);
                    used += run;
                    returned = returned && run == 0;
                    if used == ready.len() {
                        break;
                    }
                }
                let byte = ready[used];
                used += 1;
                if matches!(byte, b'\n' | b'\r') {
                    if !(byte == b'\n' && returned) {
                        self.line += 1;
                    }
                    if state != State::Quoted {
                        over = true;
                        break;
                    }
                }
                returned = byte == b'\r';
                state = step(record, state, byte, self.delimiter);
            }
            record.raw.extend_from_slice(&ready[..used]);
            self.input.consume(used);
            if record.raw.len() > MAX_ROW {
                return Err(ReadError::TooLong { line: record.line });
            }
            if over {
                finish_line_end(&mut self.input, &mut record.raw)?;
                record.finish(state);
                return Ok(true);
            }
        }
    }
}

/// How many bytes from the start mean nothing of their own.
fn plain(bytes: &[u8], quoted: bool, delimiter: u8) -> usize {
    let stops = |&byte: &u8| matches!(byte, b'"' | b'\n' | b'\r') || (!quoted && byte == delimiter);
    bytes.iter().position(stops).unwrap_or(bytes.len())
}

/// One byte that is no line end outside of quotes.
fn step(record: &mut Record, state: State, byte: u8, delimiter: u8) -> State {
    match (state, byte) {
        (State::Start, b'"') => State::Quoted,
        (State::Start | State::Bare | State::Quote, byte) if byte == delimiter => {
            record.end_field();
            State::Start
        }
        (State::Start | State::Bare, byte) => {
            if byte == b'"' {
                record.blame(Broken::StrayQuote);
            }
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
        (State::Quote, byte) => {
            record.blame(Broken::TextAfterQuote);
            record.text.push(byte);
            State::Bare
        }
    }
}

/// The names of the columns in a header: without the space around them, `column_N` where there is no name.
///
/// # Errors
/// For a header that is broken, has a name twice, or more than [`MAX_COLUMNS`] columns.
pub fn header(record: &Record) -> Result<Vec<String>, ReadError> {
    let line = record.line;
    let bad = |what: String| Err(ReadError::Header(format!("line {line}: {what}")));
    if record.len() > MAX_COLUMNS {
        return bad(format!("{} columns; the limit is {MAX_COLUMNS}", record.len()));
    }
    if let Some(broken) = record.broken {
        return bad(format!("{} in the header", broken.reason()));
    }
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for (at, field) in record.fields().enumerate() {
        let name = field.unwrap_or_default().trim();
        names.push(if name.is_empty() { format!("column_{}", at + 1) } else { name.to_owned() });
    }
    let mut seen = HashSet::with_capacity(names.len());
    if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
        return bad(format!("column `{}` is there twice", crate::json::clip(twice, 80)));
    }
    Ok(names)
}

/// What is told of a file without any row.
#[must_use]
pub fn no_header() -> ReadError {
    ReadError::Header("the file is empty: not even a header".to_owned())
}

#[cfg(test)]
mod tests;
