//! Why a schedule is refused.

use trackside_codes::{Code, Coded, code};

/// Why a text and a zone make no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Neither five nor six fields, nor a known `@name`.
    #[error(
        "{code}: the schedule {text:?} has {found} fields: write five (minute hour day-of-month month day-of-week), \
         six with the second first, or one of @hourly, @daily, @weekly, @monthly, @yearly",
        code = self.code()
    )]
    Shape {
        /// The schedule, shortened.
        text: String,
        /// Number of fields found.
        found: usize,
    },
    /// Longer than a schedule can be.
    #[error(
        "{code}: the schedule has {length} bytes and at most {limit} are read: write ranges and steps for long lists",
        code = self.code()
    )]
    TooLong {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// An item of a field is not understood.
    #[error("{code}: in the {field} field of the schedule, {item:?} is not understood: {help}", code = self.code())]
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
        "{code}: in the {field} field of the schedule, {value} is out of range: allowed is {low} to {high}{names}",
        code = self.code()
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
    #[error(
        "{code}: there is no time zone {zone:?}: write an IANA name such as UTC or Europe/Paris{guess}",
        code = self.code()
    )]
    Zone {
        /// The zone, shortened.
        zone: String,
        /// `; did you mean …?`, or nothing.
        guess: String,
    },
    /// The schedule is well-formed but matches no day of the calendar.
    #[error(
        "{code}: the schedule {text:?} never comes: no day of the months {months} matches its days",
        code = self.code()
    )]
    Never {
        /// The schedule, shortened.
        text: String,
        /// The month field as written.
        months: String,
    },
    /// The schedule crate refused what the dialect accepted: a defect in Trackside.
    #[error("{code}: the schedule {text:?} cannot be enumerated ({reason}): please report this", code = self.code())]
    Internal {
        /// The schedule, shortened.
        text: String,
        /// The crate's words.
        reason: String,
    },
}

impl Coded for CronError {
    fn code(&self) -> Code {
        match self {
            Self::Shape { .. } => code!("TS-0401"),
            Self::TooLong { .. } => code!("TS-0407"),
            Self::Item { .. } => code!("TS-0402"),
            Self::Range { .. } => code!("TS-0403"),
            Self::Zone { .. } => code!("TS-0404"),
            Self::Never { .. } => code!("TS-0405"),
            Self::Internal { .. } => code!("TS-0406"),
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
