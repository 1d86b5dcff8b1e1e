//! JSON lines: one object a line. A line ends at `\n`, `\r\n` or `\r`; blank lines and a byte order mark at the start are
//! passed over.

use std::io::BufRead;

use serde_json::{Map, Value};

use crate::{MAX_ROW, ReadError, chunk, exact, finish_line_end, skip_mark};

/// What a line holds.
#[derive(Debug)]
pub enum Line {
    /// A JSON object.
    Object(Map<String, Value>),
    /// Something else: why it is refused.
    Bad(String),
}

/// Reads lines one by one.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    line: u64,
    raw: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Reads from the start of a file.
    pub const fn new(reader: R) -> Self {
        Self { reader, line: 0, raw: Vec::new() }
    }

    /// The number of the line that was read last, from 1.
    pub const fn number(&self) -> u64 {
        self.line
    }

    /// That line as it is in the file, its end included, byte order mark not.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Goes to the next line that holds anything; false at the end.
    ///
    /// # Errors
    /// When reading fails; for a line over [`MAX_ROW`] bytes, after which reading can not go on.
    pub fn advance(&mut self) -> Result<bool, ReadError> {
        loop {
            self.raw.clear();
            if self.line == 0 {
                self.raw = skip_mark(&mut self.reader)?.1;
            }
            self.line += 1;
            if !self.fill()? {
                return Ok(false);
            }
            if !self.raw.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }

    fn fill(&mut self) -> Result<bool, ReadError> {
        loop {
            let ready = chunk(&mut self.reader)?;
            if ready.is_empty() {
                return Ok(!self.raw.is_empty());
            }
            let end = ready.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let used = end.map_or(ready.len(), |end| end + 1);
            self.raw.extend_from_slice(&ready[..used]);
            self.reader.consume(used);
            if self.raw.len() > MAX_ROW {
                return Err(ReadError::TooLong { line: self.line });
            }
            if end.is_some() {
                finish_line_end(&mut self.reader, &mut self.raw)?;
                return Ok(true);
            }
        }
    }

    /// What the line holds.
    #[must_use]
    pub fn parse(&self) -> Line {
        parse(&self.raw)
    }

    /// Goes to the next line and says what it holds; `None` at the end.
    ///
    /// # Errors
    /// As [`Lines::advance`].
    pub fn read(&mut self) -> Result<Option<Line>, ReadError> {
        Ok(if self.advance()? { Some(self.parse()) } else { None })
    }
}

fn parse(raw: &[u8]) -> Line {
    match serde_json::from_slice(raw) {
        Ok(Value::Object(object)) => exact::problem(raw).map_or(Line::Object(object), Line::Bad),
        Ok(_) => Line::Bad("not a JSON object".to_owned()),
        // The parser counts lines inside of this line.
        Err(error) => Line::Bad(format!("not JSON (column {})", error.column())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_across_empty_ones() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["\u{feff}{\"a\":1}", "", "[1]", "{"].join(end);
            for size in [1, 2, 64] {
                let mut lines = Lines::new(std::io::BufReader::with_capacity(size, text.as_bytes()));
                assert!(matches!(lines.read().unwrap(), Some(Line::Object(_))));
                assert_eq!(lines.raw(), format!("{{\"a\":1}}{end}").as_bytes());
                assert!(matches!(lines.read().unwrap(), Some(Line::Bad(_))));
                assert_eq!(lines.number(), 3);
                assert!(matches!(lines.read().unwrap(), Some(Line::Bad(_))));
                assert!(lines.read().unwrap().is_none());
            }
        }
    }

    #[test]
    fn a_number_that_would_be_rounded_or_a_name_that_stands_twice_makes_a_line_bad() {
        let Line::Bad(reason) = parse(b"{\"id\": 18446744073709551616}") else { panic!("it passed") };
        assert!(reason.starts_with("18446744073709551616 is a whole number beyond 64 bits"), "{reason}");
        assert!(matches!(parse(b"{\"id\": 18446744073709551615}"), Line::Object(_)));
        let Line::Bad(reason) = parse(b"{\"id\": 1, \"id\": 2}") else { panic!("it passed") };
        assert!(reason.starts_with("the name \"id\" stands twice"), "{reason}");
    }

    #[test]
    fn an_endless_line_is_given_up_before_memory_is() {
        let mut lines = Lines::new(std::io::BufReader::new(std::io::repeat(b'x')));
        assert!(matches!(lines.read(), Err(ReadError::TooLong { line: 1 })));
    }
}
