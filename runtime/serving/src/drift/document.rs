//! What is kept of a reference and of windows, as whoever asks reads it.

use serde::{Deserialize, Serialize};

use super::column::Kind;

/// What a window says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Says {
    /// Nothing: there was too little to compare.
    Nothing,
    /// Nothing has moved that matters.
    Calm,
    /// Something has moved.
    Drift,
}

/// A model's, or a table's, state of drift.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DriftState {
    /// Nothing was compared yet: it is not watched, its reference is being made, or no window was closed.
    #[default]
    Unknown,
    /// No window of the last few shows drift.
    None,
    /// One does, not enough of them for an alarm.
    Warning,
    /// Enough of them do.
    Alarm,
}

impl DriftState {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Warning => "warning",
            Self::Alarm => "alarm",
        }
    }
}

/// A part of a column, or a whole one: what was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// Rows.
    pub rows: u64,
    /// Rows with nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nulls: u64,
    /// Rows with something of another type.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub strange: u64,
    /// NaN.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nan: u64,
    /// Infinities.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub infinite: u64,
    /// Below everything in the reference, and above it, or of a category that the reference had not.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outside: u64,
    /// Finite values by cell, or rows by category, those of no known one last.
    pub cells: Vec<u64>,
    /// The median; within a cell it is taken as straight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// The standard deviation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<f64>,
    /// The least and the greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<(f64, f64)>,
    /// New categories, the most frequent ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<(String, u64)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks for it")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A column of the reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceColumn {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
    /// Where cells end; of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<f64>,
    /// The categories, in the order of their cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// What it had.
    #[serde(flatten)]
    pub counted: Counted,
}

/// A reference, or how far it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReferenceDocument {
    /// Rows so far.
    pub rows: u64,
    /// Rows that it is made of.
    pub of: u64,
    /// Windows so far: from 20 on they tell how rows hang together.
    pub windows: u64,
    /// From when, milliseconds since 1970.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// Whether it is complete. Until then nothing is compared.
    pub complete: bool,
    /// Columns that are not watched, because there are too many.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Its columns, once it is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ReferenceColumn>,
}

/// What one test found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// What it looked at: `distribution`, `null`, `shift` and so on.
    pub signal: String,
    /// The effect, in the test's own unit.
    pub effect: f64,
    /// The chance of as much if nothing has moved; none where it is a sum over windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Whether it is large enough to matter.
    pub matters: bool,
}

/// A column of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowColumn {
    /// What it had.
    #[serde(flatten)]
    pub counted: Counted,
    /// PSI against the reference, where it could be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psi: Option<f64>,
    /// The tests that found more than chance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Found>,
    /// What that is in words; nothing where nothing matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// A closed window, or several that closed within a minute: the one that says most of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowDocument {
    /// Counted from 1.
    pub number: u64,
    /// How many windows this stands for.
    pub windows: u64,
    /// How many of them show drift.
    pub drifted: u64,
    /// Rows.
    pub rows: u64,
    /// From when, milliseconds since 1970.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// What it says.
    pub says: Says,
    /// Why it says nothing, or what its tests take for granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Its columns, in the reference's order.
    pub columns: Vec<WindowColumn>,
}

/// An alarm that began or ended with a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Whether it began.
    pub raised: bool,
    /// The window's number.
    pub window: u64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// Names of the columns that have moved.
    pub columns: Vec<String>,
    /// What has moved, in words.
    pub words: String,
}
