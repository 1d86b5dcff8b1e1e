//! Consumers of the journal: whatever is made of what happened, and not needed for it to go on.
//!
//! A [`Consumer`] is given committed entries in their order and says what is to be written for them. That and its cursor
//! become durable in one transaction, so that each entry counts exactly once, whenever the box goes down; one
//! that was away catches up. Nobody waits for a consumer: it reads as fast as it can and no faster than its own transactions
//! commit.
//!
//! The first two: [`Usage`] (what each workflow used on each day) and [`Retention`] (what ended runs hold, and what of it
//! may go). The node drives them ([`Turns`]); they open nothing, start no thread and know no clock.

mod batch;
mod consumer;
mod damage;
mod retention;
mod turns;
mod usage;

pub use batch::{Awaited, Consumers};
pub use consumer::{Batch, Consumer};
pub use retention::{
    Candidate, Cause, Plan, Preview, Pruner, Removed, Resolved, Retention, Rules, Scene, dry_run, is_over,
};
pub use turns::{Pace, Turns};
pub use usage::{Usage, day_of, usage_since};
