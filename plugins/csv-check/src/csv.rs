//! A streaming reader of delimited text: RFC 4180 with any one-byte delimiter, `\n` or `\r\n`, quoted fields that may
//! hold line ends, and a byte order mark at the start. It is strict where a lenient reader would guess: stray quotes
//! and unfinished quotes are reported, not repaired.

use std::io::BufRead;

use trackside_sdk::StepError;

/// The longest record in bytes; it is held in memory whole.
const MAX_RECORD: usize = 1 << 20;

/// One record: its fields as they were written, quotes resolved.
#[derive(Default)]
pub struct Record {
    /// The line on which it starts, from 1.
    pub line: u64,
    bytes: Vec<u8>,
    /// Where each field ends in `bytes`.
    ends: Vec<usize>,
    /// What is wrong with its quoting, if anything.
    pub defect: Option<&'static str>,
    /// Whether any field was quoted: a line of `""` is a row, an empty line is not.
    quoted: bool,
}

impl Record {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The fields as text, or `None` where the bytes are no UTF-8.
    pub fn fields(&self) -> impl Iterator<Item = Option<&str>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| std::str::from_utf8(&self.bytes[start..end]).ok())
    }

    /// A line without any byte.
    fn is_blank(&self) -> bool {
        self.ends.len() == 1 && self.bytes.is_empty() && !self.quoted
    }

    fn restart(&mut self, line: u64) {
        self.line = line;
        self.bytes.clear();
        self.ends.clear();
        self.defect = None;
        self.quoted = false;
    }
}

/// Where the reader is inside of a record.
#[derive(Clone, Copy, PartialEq)]
enum At {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside of a quoted field: its end, or half of an escaped quote.
    QuoteInQuoted,
}

/// Reads records one by one.
pub struct Records<R> {
    reader: R,
    delimiter: u8,
    line: u64,
    started: bool,
}

impl<R: BufRead> Records<R> {
    /// Reads from here on.
    pub fn new(reader: R, delimiter: u8) -> Self {
        Self { reader, delimiter, line: 1, started: false }
    }

    /// Reads the next record that is not blank into `record`; false at the end.
    ///
    /// # Errors
    /// When reading fails; `bad-data` for a record over [`MAX_RECORD`] bytes, after which reading cannot go on.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, StepError> {
        if !self.started {
            self.started = true;
            self.skip_byte_order_mark()?;
        }
        while self.read_any(record)? {
            if !record.is_blank() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn skip_byte_order_mark(&mut self) -> Result<(), StepError> {
        if self.reader.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
            self.reader.consume(3);
        }
        Ok(())
    }

    fn read_any(&mut self, record: &mut Record) -> Result<bool, StepError> {
        record.restart(self.line);
        let mut at = At::FieldStart;
        let mut any = false;
        loop {
            let ready = self.reader.fill_buf()?;
            if ready.is_empty() {
                if any {
                    self.finish(record, at);
                }
                return Ok(any);
            }
            any = true;
            let mut used = 0;
            let mut ended = false;
            while used < ready.len() && !ended {
                // Most bytes are neither delimiter nor quote nor line end: take them in one go.
                if matches!(at, At::Plain | At::Quoted) {
                    let run = run_length(&ready[used..], at == At::Quoted, self.delimiter);
                    record.bytes.extend_from_slice(&ready[used..used + run]);
                    used += run;
                    if used == ready.len() {
                        break;
                    }
                }
                let byte = ready[used];
                used += 1;
                if byte == b'\n' {
                    self.line += 1;
                }
                at = match (at, byte) {
                    (At::Quoted, b'"') => At::QuoteInQuoted,
                    (At::Quoted, _) => {
                        record.bytes.push(byte);
                        At::Quoted
                    }
                    (At::QuoteInQuoted, b'"') => {
                        record.bytes.push(b'"');
                        At::Quoted
                    }
                    (At::FieldStart, b'"') => {
                        record.quoted = true;
                        At::Quoted
                    }
                    (_, b'\n') => {
                        ended = true;
                        at
                    }
                    (_, _) if byte == self.delimiter => {
                        record.ends.push(record.bytes.len());
                        At::FieldStart
                    }
                    // Between a closing quote and the line feed a carriage return is part of the line end.
                    (At::QuoteInQuoted, b'\r') => at,
                    (At::QuoteInQuoted, _) => {
                        record.defect = Some("text after a closing quote");
                        record.bytes.push(byte);
                        At::Plain
                    }
                    (_, b'"') => {
                        record.defect = Some("a quote inside of an unquoted field");
                        record.bytes.push(byte);
                        At::Plain
                    }
                    (_, _) => {
                        record.bytes.push(byte);
                        At::Plain
                    }
                };
            }
            self.reader.consume(used);
            if record.bytes.len() > MAX_RECORD || record.ends.len() > MAX_RECORD {
                let message = format!(
                    "line {}: a record is longer than {MAX_RECORD} bytes; is the delimiter right, is a quote open?",
                    record.line
                );
                return Err(StepError::fatal("bad-data", message));
            }
            if ended {
                self.finish(record, at);
                return Ok(true);
            }
        }
    }

    /// Closes the last field.
    fn finish(&self, record: &mut Record, at: At) {
        match at {
            At::Quoted => record.defect = Some("a quote is never closed"),
            // The carriage return of `\r\n`.
            At::Plain if record.bytes.last() == Some(&b'\r') => {
                record.bytes.pop();
            }
            _ => {}
        }
        record.ends.push(record.bytes.len());
    }
}

/// How many bytes from the start have no meaning of their own.
fn run_length(bytes: &[u8], quoted: bool, delimiter: u8) -> usize {
    let stops = |&byte: &u8| byte == b'"' || byte == b'\n' || (!quoted && byte == delimiter);
    bytes.iter().position(stops).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// All records as text; a defect stands at the end after `!`.
    fn records(text: &[u8], buffer: usize) -> Vec<(u64, String)> {
        let mut records = Records::new(BufReader::with_capacity(buffer, text), b',');
        let mut record = Record::default();
        let mut all = Vec::new();
        while records.read(&mut record).unwrap() {
            let mut line = record.fields().map(|field| field.unwrap_or("?")).collect::<Vec<_>>().join("|");
            if let Some(defect) = record.defect {
                line = format!("{line} !{defect}");
            }
            all.push((record.line, line));
        }
        all
    }

    #[test]
    fn records_are_the_same_however_the_bytes_arrive() {
        let text = b"\xef\xbb\xbfa,b\r\n1,\"x,\"\"y\"\"\r\nz\"\r\n\r\n,\n\"\",last";
        let expected: Vec<(u64, String)> =
            [(1, "a|b"), (2, "1|x,\"y\"\r\nz"), (5, "|"), (6, "|last")].map(|(n, s)| (n, s.to_owned())).into();
        for buffer in [3, 4, 7, 64] {
            assert_eq!(records(text, buffer), expected, "buffer of {buffer}");
        }
    }

    #[test]
    fn quoting_is_not_guessed() {
        assert_eq!(records(b"a\"b,c\n", 64)[0].1, "a\"b|c !a quote inside of an unquoted field");
        assert_eq!(records(b"\"a\"b,c\n", 64)[0].1, "ab|c !text after a closing quote");
        assert_eq!(records(b"1,\"open\n2,3\n", 64)[0].1, "1|open\n2,3\n !a quote is never closed");
    }

    #[test]
    fn other_bytes_than_utf8_are_seen() {
        assert_eq!(records(b"a,\xff\n", 64)[0].1, "a|?");
    }

    #[test]
    fn a_record_without_end_is_refused_before_memory_is() {
        let mut records = Records::new(BufReader::new(std::io::repeat(b'x')), b',');
        assert_eq!(records.read(&mut Record::default()).unwrap_err().code(), "bad-data");
    }
}
