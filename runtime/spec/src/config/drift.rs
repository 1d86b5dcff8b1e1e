//! How closely models, and the tables that contracts check, are watched for drift.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// The watch over what a model is asked and what it answers: windows are compared with a reference, the first rows that came.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "drift: a table with `enabled`, `rows`, `time`, `reference` and so on"
)]
#[schemars(rename = "Drift")]
pub struct DriftConfig {
    /// Whether it is watched.
    pub enabled: bool,
    /// Rows of a window.
    #[schemars(range(min = 20, max = 1_000_000))]
    pub rows: u32,
    /// A window that is as old as this is compared with fewer rows, 50 at least; with less it goes on.
    pub time: Duration,
    /// Rows that the reference is made of, the first ones. From 20 windows on it is known how rows hang together; with less they are taken as
    /// independent. Fewer than 50 are no reference.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub reference: u32,
    /// From which PSI, and which distance of two distribution functions, on a change is worth an alarm.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub effect: f64,
    /// From which change of a share on: of values out of range, of nulls; half of it for types, NaN, new categories.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// How often a window of what has not moved may show drift, all columns together.
    #[schemars(range(min = 0.000_001, max = 0.5))]
    pub level: f64,
    /// So many of the last `of` windows raise an alarm.
    #[schemars(range(min = 1, max = 32))]
    pub raise: u32,
    /// The windows that count.
    #[schemars(range(min = 1, max = 32))]
    pub of: u32,
    /// So many windows in a row without drift end it.
    #[schemars(range(min = 1, max = 1_000))]
    pub clear: u32,
    /// Rows of up to so many elements are watched one by one, longer ones by their mean, deviation, zeros, least and greatest.
    #[schemars(range(min = 1, max = 64))]
    pub elements: u32,
    /// Whether a window is compared with the same hour of the week. The reference takes three weeks then, and windows end within an hour.
    pub season: bool,
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            rows: 200,
            time: Duration::from_millis(86_400_000),
            reference: 5_000,
            effect: 0.1,
            share: 0.01,
            level: 0.05,
            raise: 2,
            of: 3,
            clear: 3,
            elements: 32,
            season: false,
        }
    }
}

impl DriftConfig {
    /// What is wrong with it: key and reason.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut within = |key: &'static str, value: f64, least: f64, most: f64| {
            if !(least..=most).contains(&value) {
                problems.push((key, format!("between {least} and {most}")));
            }
        };
        within("rows", f64::from(self.rows), 20.0, 1_000_000.0);
        within("reference", f64::from(self.reference), 1.0, 10_000_000.0);
        within("effect", self.effect, 0.0, 10.0);
        within("share", self.share, 0.0, 1.0);
        within("level", self.level, 0.000_001, 0.5);
        within("of", f64::from(self.of), 1.0, 32.0);
        within("clear", f64::from(self.clear), 1.0, 1_000.0);
        within("elements", f64::from(self.elements), 1.0, 64.0);
        if !(1..=self.of).contains(&self.raise) {
            problems.push(("raise", "between 1 and `of`".to_owned()));
        }
        let (shortest, longest) = (Duration::from_millis(1_000), Duration::from_millis(30 * 86_400_000));
        if !(shortest..=longest).contains(&self.time) {
            problems.push(("time", format!("between {shortest} and {longest}")));
        }
        problems
    }
}
