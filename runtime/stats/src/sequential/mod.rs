//! Tests that may be looked at after every observation.
//!
//! Two tools carry all of them. An **e-process** is a wealth that cannot grow on average while the gate's claim is true: it ever
//! reaches 1/level with at most that level's probability (Ville 1939), however often one looks and whenever one stops. A
//! **confidence sequence** is a band that holds the truth at all times together with that probability.
//!
//! | Gate | Here |
//! |---|---|
//! | errors of two arms, each request in one of them | [`TwoArms`] |
//! | right or wrong of two versions on the same requests (shadow) | [`Paired`] |
//! | a rate or a bounded mean against a number | [`MeanGate`] |
//! | latency of two arms, or of one against a limit | [`LatencyTest`], [`quantile_band`] |
//! | an error burst against a known rate | [`Sprt`] |
//! | a rate, with its band; and how many labels that takes | [`proportion_band`], [`trials_for_width`] |
//! | a bounded mean, with its band | [`MeanSequence`] |
//!
//! All assume that, given the arm, an observation does not depend on the ones before it beyond what the docs of each say. A subject
//! that sticks to one arm and sends much of the traffic breaks that: count such a subject once, or bound its share.

mod bets;
mod gate;
mod latency;
mod mean;
mod mean_gate;
mod paired;
pub mod plan;
mod proportion;
mod quantile;
mod sprt;
mod two_arms;

pub use bets::Bets;
pub use latency::{LatencyGate, LatencyTest};
pub use mean::MeanSequence;
pub use mean_gate::MeanGate;
pub use paired::{Pair, Paired, PairedGate};
pub use proportion::{Band, proportion_band, trials_for_width};
pub use quantile::{Quantile, QuantileBand, quantile_band};
pub use sprt::{Sprt, SprtRates};
pub use two_arms::{Arm, ErrorGate, Margin, TwoArms};
