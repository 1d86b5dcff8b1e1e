//! The first bytes of values, see the room's page.

/// The version that the first byte of a document says.
pub const VERSION: u8 = 1;
/// Lists and objects in each other at most: what the parser of JSON takes, and room for what is put around it.
pub const DEEPEST: u8 = 200;

pub(crate) const NULL: u8 = 0x00;
pub(crate) const FALSE: u8 = 0x01;
pub(crate) const TRUE: u8 = 0x02;
pub(crate) const POSITIVE: u8 = 0x03;
pub(crate) const NEGATIVE: u8 = 0x04;
pub(crate) const DOUBLE: u8 = 0x05;
pub(crate) const TEXT: u8 = 0x06;
pub(crate) const RARE_WORD: u8 = 0x07;
pub(crate) const DIGEST: u8 = 0x08;
pub(crate) const LIST: u8 = 0x09;
pub(crate) const OBJECT: u8 = 0x0a;
pub(crate) const END: u8 = 0x0b;
pub(crate) const SHORT_TEXT: u8 = 0x20;
pub(crate) const SMALL: u8 = 0x40;
pub(crate) const WORD: u8 = 0xc0;

/// Texts shorter than this have their length in their first byte.
pub(crate) const SHORT: usize = 32;
/// Numbers below this are one byte.
pub(crate) const SMALL_NUMBERS: u8 = 128;
/// Words with a number below this are one byte.
pub(crate) const FREQUENT: usize = 64;

pub(crate) const DIGEST_PREFIX: &str = "sha256:";
pub(crate) const DIGEST_BYTES: usize = 32;
