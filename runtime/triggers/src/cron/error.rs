//! Why a schedule is refused.

/// Why a text and a zone make no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Neither five nor six fields, nor a known `@name`.
    #[error(
        "TS-0401: the schedule {text:?} has {found} fields: write five (minute hour day-of-month month day-of-week), \
         six with the second first, or one of @hourly, @daily, @weekly, @monthly, @yearly"
    )]
    Shape {
        /// The schedule, shortened.
        text: String,
        /// Number of fields found.
        found: usize,
    },
    /// Longer than a schedule can be.
    #[error(
        "TS-0407: the schedule has {length} bytes and at most {limit} are read: write ranges and steps for long lists"
    )]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// An item of a field is not understood.
    #[error("TS-0402: in the {field} field of the schedule, {item:?} is not understood: {help}")]
    Item {
        /// The field's name.
        field: &'static str,
        /// The item, shortened.
        item: String,
        /// What would be.
        help: String,
    },
    /// A number is out of the field's range.
    #[error(
        "TS-0403: in the {field} field of the schedule, {value} is out of range: allowed is {low} to {high}{names}"
    )]
    Range {
        /// The field's name.
        field: &'static str,
        /// The number as written, shortened.
        value: String,
        /// Smallest number allowed.
        low: u32,
        /// Largest number allowed.
        high: u32,
        /// A hint at the names that are allowed too, or nothing.
        names: &'static str,
    },
    /// No zone of this name.
    #[error("TS-0404: there is no time zone {zone:?}: write an IANA name such as UTC or Europe/Paris{guess}")]
    Zone {
        /// The zone, shortened.
        zone: String,
        /// `; did you mean …?`, or nothing.
        guess: String,
    },
    /// The schedule is well-formed but matches no day of the calendar.
    #[error("TS-0405: the schedule {text:?} never comes: no day of the months {months} matches its days")]
    Never {
        /// The schedule, shortened.
        text: String,
        /// The month field as written.
        months: String,
    },
    /// The schedule crate refused what the dialect accepted: a defect in Trackside.
    #[error("TS-0406: the schedule {text:?} cannot be enumerated ({reason}): please report this")]
    Internal {
        /// The schedule, shortened.
        text: String,
        /// The crate's words.
        reason: String,
    },
}

impl CronError {
    /// The stable code, `TS-0401` to `TS-0407`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "TS-0401",
            Self::Item { .. } => "TS-0402",
            Self::Range { .. } => "TS-0403",
            Self::Zone { .. } => "TS-0404",
            Self::Never { .. } => "TS-0405",
            Self::Internal { .. } => "TS-0406",
            Self::TooLong { .. } => "TS-0407",
        }
    }
}

/// At most `limit` characters of `text`: what came from outside is not repeated at any length.
pub(super) fn clip(text: &str) -> String {
    const LIMIT: usize = 60;
    if text.chars().count() <= LIMIT {
        return text.to_owned();
    }
    text.chars().take(LIMIT).chain(['…']).collect()
}
