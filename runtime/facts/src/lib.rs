//! The facts that the node keeps and that others read for years: what started a run, what an attempt of a step tells of
//! itself, which effects wait to be carried out, what triggers decided. Pure: text and numbers, no I/O.
//!
//! A fact is made in one place, from its parts, and read by names that the compiler knows. Its form is JSON with its
//! keys in an order of their own; keys of later versions are kept and passed over. Entries of the journal lie on disk in a form
//! of that in fewer bytes ([`Entry`]).

mod box_event;
mod contract_report;
mod decision;
mod effect;
mod entry;
mod poll;
mod prediction;
mod report;
mod subject;
mod time;
mod trigger;
mod used;

pub use box_event::BoxEvent;
pub use contract_report::{ContractReport, RowProblem};
pub use decision::{Decided, DecisionKind, DecisionSubject};
pub use effect::{Delivery, Effect, EffectError, OutgoingMessage, Present};
pub use entry::{Entry, EntryError, artifacts_named};
pub use poll::{PollSight, PollState};
pub use prediction::{LONGEST_LABEL, Misfit, Passed, Predicted, truths};
pub use report::{AttemptReport, MetricKind, ReportedMetric};
pub use subject::{MODEL, Subject, SubjectEvent};
pub use time::{from_rfc3339, rfc3339};
/// Numbers as entries have them on disk.
pub use trackside_packed::varint;
pub use trigger::{Cause, DatasetVersion, DriftAlarm, EndedRun, MessageContent, RunFile, TriggerDocument};
pub use used::Used;
