//! The tests of the crate from outside, in one program.
//!
//! Chance comes from seeds, which failures name. `TRACKSIDE_STATS_TABLES=1` prints larger simulations (`tables`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests, helpers included")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of trials"
)]

mod support;

mod columns;
mod drift;
mod edges;
mod gates;
mod golden;
mod kept;
mod sketches;
mod tables;
