//! Decisions from few observations: sequential tests, confidence sequences, sketches, drift tests, multiplicity.
//!
//! The lowest floor, beside `codes`: it knows no other room. Serving, the node and the observers call it; it calls nobody. It may
//! never read a clock, a file or the environment, start a thread, or hold more memory than the docs of a type say. State is plain
//! values that the caller keeps, and hands in again.
//!
//! What is sequential here may be looked at after every observation, at no price: its error bound holds for all looks together.
//! What is a test of one window (`drift`) holds for that window. Each function names its source, what it assumes, and its units.
//!
//! Numbers that say nothing (NaN, infinities, too few rows, no traffic) have outcomes of their own: none is a panic, and none is
//! taken for "no difference".

#![forbid(unsafe_code)]

mod bytes;
pub mod drift;
mod error;
pub mod estimate;
mod level;
pub mod multiplicity;
pub mod sequential;
pub mod sketch;
mod special;
mod verdict;

pub use bytes::MOST_BYTES;
pub use error::StatsError;
pub use level::Level;
pub use verdict::{Decision, Missing, Verdict};
