//! What JSON says, in fewer bytes: the form in which entries of the journal lie on disk.
//!
//! It holds exactly what a JSON document of serde holds: null, truth, numbers (64 bits with and without sign, IEEE 754
//! doubles), texts, lists, objects whose members keep their order. It says of itself what it holds, as JSON does, so that types
//! can be read that take what they find. Nothing is rounded and nothing is left out.
//!
//! The first byte is the version, [`VERSION`]. A value begins with a byte that says what it is:
//!
//! | Byte | Value |
//! |---|---|
//! | `00` to `02` | null, false, true |
//! | `03`, varint | a number from 0 on (LEB128) |
//! | `04`, varint | a number below 0: -1 less the varint |
//! | `05`, 8 bytes | a double, little endian |
//! | `06`, varint, bytes | a text of so many bytes, UTF-8 |
//! | `07`, byte | a text: the word with the number 64 and so many more |
//! | `08`, 32 bytes | a text: `sha256:` and the bytes in hexadecimal digits |
//! | `09` … `0b` | a list: its values up to the end |
//! | `0a` … `0b` | an object: member names and values in turns up to the end |
//! | `20` to `3f`, bytes | a text of 0 to 31 bytes |
//! | `40` to `bf` | a number from 0 to 127 |
//! | `c0` to `ff` | a text: the word with the number 0 to 63 |
//!
//! Words are those of [`words`](WORDS): a list that grows at its end and is never changed.
//!
//! The room knows what serde knows, and nothing of Trackside but its words. It does no I/O and never panics, whatever bytes it
//! is given; it goes no deeper than [`DEEPEST`] levels.

mod de;
mod error;
mod ser;
mod tag;
pub mod varint;
mod words;

pub use de::{digests_named, from_slice, may_have};
pub use error::Error;
pub use ser::to_vec;
pub use tag::{DEEPEST, VERSION};
pub use words::WORDS;
