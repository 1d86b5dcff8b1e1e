//! One JSON object per line.

use std::io::{BufRead, Read};

use serde_json::{Map, Value};
use trackside_sdk::StepError;

/// The longest line that is read, in bytes. A line is held in memory whole.
pub const MAX_LINE: usize = 1 << 20;

/// Reads lines one by one. Empty lines are passed over; a byte order mark at the start too.
pub struct Lines<R> {
    reader: R,
    line: u64,
    buffer: Vec<u8>,
}

/// What a line holds.
pub enum Line {
    /// A JSON object.
    Object(Map<String, Value>),
    /// Something else: why it is refused.
    Bad(String),
}

impl<R: BufRead> Lines<R> {
    /// Reads from here on.
    pub fn new(reader: R) -> Self {
        Self { reader, line: 0, buffer: Vec::new() }
    }

    /// The number of the line that was read last, from 1.
    pub fn number(&self) -> u64 {
        self.line
    }

    /// The next line that holds anything, or `None` at the end.
    ///
    /// # Errors
    /// When reading fails; `bad-data` for a line longer than [`MAX_LINE`], after which reading cannot go on.
    pub fn read(&mut self) -> Result<Option<Line>, StepError> {
        loop {
            self.buffer.clear();
            let got = Read::by_ref(&mut self.reader).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut self.buffer)?;
            if got == 0 {
                return Ok(None);
            }
            self.line += 1;
            if got > MAX_LINE {
                let message = format!("line {} is longer than {MAX_LINE} bytes", self.line);
                return Err(StepError::fatal("bad-data", message));
            }
            let mut text = self.buffer.as_slice();
            if self.line == 1 {
                text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            }
            let text = text.trim_ascii();
            if text.is_empty() {
                continue;
            }
            return Ok(Some(match serde_json::from_slice(text) {
                Ok(Value::Object(object)) => Line::Object(object),
                Ok(_) => Line::Bad("not a JSON object".into()),
                // The parser counts lines inside of this line.
                Err(error) => Line::Bad(format!("not JSON (column {})", error.column())),
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_their_numbers_across_empty_ones() {
        let mut lines = Lines::new(&b"\xef\xbb\xbf{\"a\":1}\r\n\n[1]\n{"[..]);
        assert!(matches!(lines.read().unwrap(), Some(Line::Object(_))));
        assert!(matches!(lines.read().unwrap(), Some(Line::Bad(_))));
        assert_eq!(lines.number(), 3);
        assert!(matches!(lines.read().unwrap(), Some(Line::Bad(_))));
        assert!(lines.read().unwrap().is_none());
    }

    #[test]
    fn an_endless_line_is_refused_before_memory_is() {
        let mut lines = Lines::new(std::io::BufReader::new(std::io::repeat(b'x')));
        assert_eq!(lines.read().err().unwrap().code(), "bad-data");
    }
}
