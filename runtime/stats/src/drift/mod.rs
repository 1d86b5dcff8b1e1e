//! Has what comes in moved away from a reference?
//!
//! | Question | Here | Holds where |
//! |---|---|---|
//! | does a window's distribution differ | [`psi()`], [`ks()`] | rows are independent; where they are not, with a [`BlockDesign`] |
//! | is something missing, of the wrong type, new, out of range more often | [`rates::compare`] | rows are independent |
//! | does a sensor stand still | [`stuck::stuck`], [`stuck::flat`] | see there |
//! | does a mean move slowly | [`Cusum`], [`PageHinkley`] | values are independent: hand in means of blocks |
//! | do errors become more | [`Adwin`], or a [`MeanGate`](crate::sequential::MeanGate) against the accuracy that is wanted | errors are independent |
//! | is it only the hour | [`SeasonalReference`] | enough weeks were seen |
//!
//! A window's tests give p-values; [`screen`] puts those of all features together (Benjamini-Hochberg) and adds the effect that is worth
//! an alarm: significance alone fires on trifles in large windows, an effect alone on noise in small ones. [`Alarm`] makes a state with
//! hysteresis of what windows say.

mod adwin;
mod alarm;
mod block;
mod columns;
mod cusum;
mod ks;
mod outcome;
mod page_hinkley;
mod psi;
pub mod rates;
mod season;
pub mod stuck;

pub use adwin::Adwin;
pub use alarm::{Alarm, AlarmRule, AlarmState, Change};
pub use block::BlockDesign;
pub use columns::{Screened, Signal, categorical, numeric, says_anything, screen};
pub use cusum::{Cusum, CusumRule, Shift};
pub use ks::{ks, ks_sketches};
pub use outcome::{Outcome, Tested, Unsaid};
pub use page_hinkley::{PageHinkley, PageHinkleyRule};
pub use psi::{Order, psi};
pub use season::{SeasonalReference, Used, hour_of_week};
