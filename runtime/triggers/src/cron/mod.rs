//! Schedules: the dialect, the mapping from local times to instants, and the table of what is due.
//!
//! # The dialect
//!
//! Five fields as in Vixie cron (`minute hour day-of-month month day-of-week`), or six with the second first. A field is
//! a list of items separated by commas; an item is `*`, a number, a range `a-b`, or one of these with a step `/n`
//! (`a/n` means from `a` to the field's end). Months and week days may be three-letter names in any case; Sunday is 0
//! and 7. Where both day fields are restricted, that is, neither starts with `*`, a day that matches either one counts;
//! otherwise a day must match both. `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@yearly` and `@annually`
//! stand for the usual fields.
//!
//! # Clock changes
//!
//! A schedule whose minute or hour field starts with `*` is an *interval*: it follows the clock, so it runs in both
//! passes of a repeated hour, and a skipped hour adds nothing. Every other schedule is *fixed*: a local time that is
//! repeated counts once, the first time; one that is skipped runs at the first instant after the gap. Several skipped
//! times that fall on one instant make one run. These are Vixie cron's rules, without its three-hour limit.

mod calendar;
mod dialect;
mod enumerator;
mod error;
mod gate;
mod jitter;
mod overlap;
mod schedule;
mod table;
mod times;

pub use error::CronError;
pub use gate::{GateState, LONGEST_WAIT, TimeGate};
pub use jitter::jitter_offset;
pub use overlap::{QUEUE_CAP, Tick};
pub use schedule::CronSchedule;
pub use table::{
    CronDue, CronEntry, CronFire, CronMove, CronTable, CronTick, DUE_WORK_MS, MISSED_CAP, MoveCause, REANCHOR_MS,
    TickDecision,
};
pub use times::Times;
