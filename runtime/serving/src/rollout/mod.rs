//! Rollouts: a candidate beside the version in service, the evidence about both, and what follows from it.
//!
//! [`Machine`] is one of them as a state machine: it is told observations and passing time, and says what should happen. It is pure, and knows
//! neither models nor workflows: both are rolled out by it. Whoever has one commits what it says before acting by it, and then says so.

mod compare;
mod gate;
mod kept;
mod machine;
mod scores;
pub(crate) mod shadow;
mod split;
mod subjects;
mod told;
mod trial;
pub(crate) mod trials;

pub use machine::{Machine, RolloutFault, Standing};
pub use split::Split;
pub use told::{Due, GateReport, Status, Told};
pub use trackside_stats::{Missing, Verdict, sequential::Arm};
pub(crate) use trial::Part;
pub use trial::{NewTrial, Trial};
