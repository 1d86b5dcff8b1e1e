//! What is kept of values that are too many to keep: bounded memory, merges, bytes that survive a restart.
//!
//! | State | Memory | Error |
//! |---|---|---|
//! | [`Histogram`] against frozen [`Edges`] | 16 bytes a cell, 1,025 cells at most | none at the edges |
//! | [`Quantiles`] (KLL) | 6 KiB | rank 1.4 % (99 %) |
//! | [`Frequent`] (Misra-Gries) | 20 KiB | 1.4 % of the values, none up to 192 categories |
//! | [`Categories`] against a frozen list | 90 bytes a category, 255 at most | none |
//! | [`Moments`] | 40 bytes | rounding |
//!
//! KLL and frequent items are those of Apache DataSketches. KLL tosses coins of its own, from the operating system: the same values
//! give other bytes each time, within the same bounds. What must be the same each time (a verdict in a simulation, a replay) rests on
//! [`Histogram`] and [`Categories`], which have no chance in them.

mod categories;
mod column;
mod edges;
mod frequent;
mod histogram;
mod moments;
mod quantiles;
mod run_length;

pub use categories::{Categories, CategoryList};
pub use column::{CategoryColumn, Cell, NumericColumn};
pub use edges::{Edges, MOST_EDGES};
pub use frequent::{Frequent, FrequentItem};
pub use histogram::Histogram;
pub use moments::Moments;
pub use quantiles::Quantiles;
pub use run_length::RunLength;
