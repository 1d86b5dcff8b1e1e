//! What ended runs hold, and what of it may go.
//!
//! [`Retention`] is a consumer: it enters each run that has ended with its bytes under its workflow. [`Pruner`] goes by
//! what was entered and says, one small transaction after the other, what is removed next.

mod consumer;
mod files;
mod plan;
mod pruner;
mod rules;

pub use consumer::Retention;
pub use plan::{Candidate, Cause, Plan};
pub use pruner::{Preview, Pruner, Removed, Scene, dry_run, is_over};
pub use rules::{Resolved, Rules};
