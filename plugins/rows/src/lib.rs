//! What the bundled plugins share about rows of data: [`timestamp`]s as people and machines write them, [`jsonl`], a
//! reader of one JSON object per line that never holds more than one of them, and numbers for [`json`].

pub mod json;
pub mod jsonl;
pub mod timestamp;
