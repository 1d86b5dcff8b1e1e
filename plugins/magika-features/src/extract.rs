//! Magika's features, version 2 of its extraction: exactly what the Python package computes.
//!
//! A block is read from each end of the file. White space is stripped from the outer side of each block only (the
//! left of the first, the right of the last), then the outer `beg_size` and `end_size` bytes become integers, padded on
//! the inner side. Files with too few bytes are decided here and never reach the model.

use crate::layout::Layout;

/// What becomes of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Features {
    /// The model must look at these values.
    Model(Vec<i32>),
    /// No model is needed.
    Decided(Decided),
}

/// Why a file needs no model, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// No byte at all.
    Empty,
    /// Too few bytes to tell, valid UTF-8.
    FewBytesText,
    /// Too few bytes to tell, not valid UTF-8.
    FewBytesUnknown,
}

impl Decided {
    /// Magika's content type label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::FewBytesText => "txt",
            Self::FewBytesUnknown => "unknown",
        }
    }

    /// The reason, as a stable word.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::FewBytesText | Self::FewBytesUnknown => "few-bytes",
        }
    }
}

/// The blocks handed in are not the ends of a file of the size handed in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the file of {size} bytes gave blocks of {head} and {tail} bytes instead of {expected}: it changed while it was read"
)]
pub struct BlockMismatch {
    size: u64,
    head: usize,
    tail: usize,
    expected: usize,
}

/// Computes the features of a file of `size` bytes from its first and its last `layout.block(size)` bytes.
///
/// # Errors
/// When a block has another length.
pub fn features(layout: &Layout, size: u64, head: &[u8], tail: &[u8]) -> Result<Features, BlockMismatch> {
    let expected = layout.block(size);
    if head.len() != expected || tail.len() != expected {
        return Err(BlockMismatch { size, head: head.len(), tail: tail.len(), expected });
    }
    if size == 0 {
        return Ok(Features::Decided(Decided::Empty));
    }
    let start = strip_start(head);
    // Counted after stripping; a file of blanks is decided here too. The text is judged over the whole block: a block
    // that ends inside a character is not text, as in the Python package.
    if start.len() < layout.min_file_size_for_dl {
        let decided = match std::str::from_utf8(head) {
            Ok(_) => Decided::FewBytesText,
            Err(_) => Decided::FewBytesUnknown,
        };
        return Ok(Features::Decided(decided));
    }
    let end = strip_end(tail);
    let start = &start[..start.len().min(layout.beg_size)];
    let end = &end[end.len().saturating_sub(layout.end_size)..];

    let padding = |count: usize| std::iter::repeat_n(layout.padding_token, count);
    let mut values = Vec::with_capacity(layout.width());
    values.extend(start.iter().map(|&byte| i32::from(byte)));
    values.extend(padding(layout.beg_size - start.len()));
    values.extend(padding(layout.end_size - end.len()));
    values.extend(end.iter().map(|&byte| i32::from(byte)));
    Ok(Features::Model(values))
}

/// Python's `bytes.strip` set. Rust's `is_ascii_whitespace` lacks the vertical tab.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn strip_start(block: &[u8]) -> &[u8] {
    let first = block.iter().position(|&byte| !is_blank(byte)).unwrap_or(block.len());
    &block[first..]
}

fn strip_end(block: &[u8]) -> &[u8] {
    let end = block.iter().rposition(|&byte| !is_blank(byte)).map_or(0, |last| last + 1);
    &block[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small sizes, so that every case can be written out.
    fn layout() -> Layout {
        Layout {
            beg_size: 4,
            mid_size: 0,
            end_size: 4,
            use_inputs_at_offsets: false,
            min_file_size_for_dl: 3,
            padding_token: 256,
            block_size: 6,
        }
    }

    fn of(file: &[u8]) -> Features {
        let layout = layout();
        let block = layout.block(file.len() as u64);
        features(&layout, file.len() as u64, &file[..block], &file[file.len() - block..]).unwrap()
    }

    fn values(text: &[u8]) -> Vec<i32> {
        // `_` stands for padding.
        text.iter().map(|&byte| if byte == b'_' { 256 } else { i32::from(byte) }).collect()
    }

    #[test]
    fn the_outer_bytes_of_a_long_file_are_taken() {
        assert_eq!(of(b"abcdefghijklmnop"), Features::Model(values(b"abcdmnop")));
    }

    #[test]
    fn a_short_file_is_padded_on_the_inner_side() {
        assert_eq!(of(b"abc"), Features::Model(values(b"abc__abc")));
    }

    #[test]
    fn blanks_are_stripped_on_the_outer_side_of_each_block_only() {
        assert_eq!(of(b" \x0bab c \x0c"), Features::Model(values(b"ab cab c")));
        assert_eq!(of(b"abc   "), Features::Model(values(b"abc _abc")));
    }

    #[test]
    fn too_few_bytes_are_decided_without_the_model() {
        assert_eq!(of(b""), Features::Decided(Decided::Empty));
        assert_eq!(of(b"ab"), Features::Decided(Decided::FewBytesText));
        assert_eq!(of(b"\xff\xfe"), Features::Decided(Decided::FewBytesUnknown));
        assert_eq!(of(b"     a      long tail that does not count"), Features::Decided(Decided::FewBytesText));
        assert_eq!(of(b"            "), Features::Decided(Decided::FewBytesText));
    }

    #[test]
    fn a_block_that_ends_inside_a_character_is_not_text() {
        // Six bytes are read: five blanks and the first half of `é`.
        assert_eq!(of("     é".as_bytes()), Features::Decided(Decided::FewBytesUnknown));
    }

    #[test]
    fn blocks_of_another_length_are_refused() {
        assert!(features(&layout(), 10, b"abcdef", b"abc").is_err());
        assert!(features(&layout(), 3, b"abcdef", b"abcdef").is_err());
    }
}
