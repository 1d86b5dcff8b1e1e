//! How closely something is watched.

use std::time::Duration;

use trackside_stats::{
    Level,
    drift::{AlarmRule, Signal},
};

/// How closely a model, or a table, is watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriftSettings {
    /// Whether it is.
    pub enabled: bool,
    /// Rows of a window.
    pub rows: u32,
    /// A window that is as old as this is closed with fewer, if it has [`FEWEST`](Self::FEWEST).
    pub time: Duration,
    /// The rows of which the reference is made, the first ones.
    pub reference: u32,
    /// From which PSI, and which distance of two distribution functions, on a change is worth an alarm.
    pub effect: f64,
    /// From which change of a share on.
    pub share: f64,
    /// How often a window of what has not moved may show drift.
    pub level: f64,
    /// Of the last `of` windows, `raise` raise an alarm; `clear` quiet ones in a row end it.
    pub alarm: AlarmRule,
    /// The most values of a row that are watched one by one; of longer rows, summaries are.
    pub elements: u32,
    /// Whether a window is compared with the same hour of the week.
    pub season: bool,
}

impl DriftSettings {
    /// What fits most: 25 windows of reference, so that it is known how rows hang together.
    pub const USUAL: Self = Self {
        enabled: true,
        rows: 200,
        time: Duration::from_secs(86_400),
        reference: 5_000,
        effect: 0.1,
        share: 0.01,
        level: 0.05,
        alarm: AlarmRule { of: 3, raise: 2, clear: 3 },
        elements: 32,
        season: false,
    };
    /// The fewest rows of a window that is closed because of its age: with fewer, no test says anything.
    pub const FEWEST: u32 = 50;
    /// The windows that a reference must have to tell how rows hang together.
    pub const DESIGN: u64 = 20;

    /// The level as the tests take it.
    #[must_use]
    pub fn level(&self) -> Level {
        Level::new(self.level).unwrap_or(Level::FIVE_PERCENT)
    }

    /// Whether a change of this size is worth an alarm.
    #[must_use]
    pub fn matters(&self, signal: Signal, effect: f64) -> bool {
        match signal {
            Signal::Distribution | Signal::Distance => effect >= self.effect,
            Signal::Null | Signal::OutOfRange => effect.abs() >= self.share,
            Signal::Type | Signal::NotFinite | Signal::NewCategory => effect.abs() >= self.share / 2.0,
            Signal::Stuck | Signal::Flat => signal.matters(effect),
        }
    }
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self::USUAL
    }
}
