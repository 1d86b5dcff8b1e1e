//! Rows of data as they come from outside, read in one way by everybody: the bundled plugins in the sandbox and the
//! node's data contracts take this crate, so that what one of them passes the other does not read differently.
//!
//! [`form`] says what a file is; [`csv`] and [`lines`] take it apart and never hold more than one row, [`table`] is either of
//! them; [`field`] gives a value its type, with [`number`]s that keep every digit of a whole number and [`timestamp`]s that keep nanoseconds; [`exact`] finds whole
//! numbers in JSON that no 64 bits hold; [`json`] writes numbers. It knows neither the plugin SDK nor the runtime. The
//! rules, one table: `docs/rows.md`.

pub mod csv;
pub mod exact;
pub mod field;
pub mod form;
pub mod json;
pub mod lines;
pub mod number;
pub mod table;
pub mod timestamp;

use std::{fmt, io};

/// The longest row or line, in bytes, its line end included. It is held in memory whole.
pub const MAX_ROW: usize = 1 << 20;

/// Why the rows of a file can not be read to their end.
#[derive(Debug)]
pub enum ReadError {
    /// The disk.
    Io(io::Error),
    /// A row without end.
    TooLong {
        /// The line on which it begins, from 1.
        line: u64,
    },
    /// The header of a CSV file.
    Header(String),
    /// What the user asked for means nothing.
    Option(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::TooLong { line } => write!(
                f,
                "line {line}: a row of more than {MAX_ROW} bytes; is a quote not closed, is it the right delimiter?"
            ),
            Self::Header(what) | Self::Option(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Fills the buffer again where a signal came between.
fn chunk<R: io::BufRead>(reader: &mut R) -> io::Result<&[u8]> {
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // What is in the buffer already comes without another read.
    reader.fill_buf()
}

/// Takes a byte order mark off the start. What was read and is none, at most two bytes, comes back.
fn skip_mark<R: io::BufRead>(reader: &mut R) -> io::Result<(bool, Vec<u8>)> {
    let mut seen = Vec::new();
    while let Some(&byte) = chunk(reader)?.first().filter(|byte| BYTE_ORDER_MARK[seen.len()] == **byte) {
        reader.consume(1);
        seen.push(byte);
        if seen.len() == BYTE_ORDER_MARK.len() {
            return Ok((true, Vec::new()));
        }
    }
    Ok((false, seen))
}

/// Takes the line feed of `\r\n` off, when the carriage return was the last byte of `raw`.
fn finish_line_end<R: io::BufRead>(reader: &mut R, raw: &mut Vec<u8>) -> io::Result<()> {
    if raw.last() == Some(&b'\r') && chunk(reader)?.first() == Some(&b'\n') {
        reader.consume(1);
        raw.push(b'\n');
    }
    Ok(())
}
