//! The text of a schedule, read into sets of numbers. Knows nothing of time.

use super::error::{CronError, clip};

/// A longer text is no schedule; the limit keeps the work on hostile input bounded.
const MAX_LENGTH: usize = 512;

/// One field's place, range and names.
struct Field {
    name: &'static str,
    low: u32,
    /// Largest number that may be written; 7 for Sunday in the week-day field.
    high: u32,
    /// Names for `low`, `low + 1`, …
    names: &'static [&'static str],
    names_hint: &'static str,
}

const SECOND: Field = Field { name: "second", low: 0, high: 59, names: &[], names_hint: "" };
const MINUTE: Field = Field { name: "minute", low: 0, high: 59, names: &[], names_hint: "" };
const HOUR: Field = Field { name: "hour", low: 0, high: 23, names: &[], names_hint: "" };
const DAY: Field = Field { name: "day-of-month", low: 1, high: 31, names: &[], names_hint: "" };
const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    names_hint: " or jan to dec",
};
const WEEKDAY: Field = Field {
    name: "day-of-week",
    low: 0,
    high: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    names_hint: " (Sunday is 0 and 7) or sun to sat",
};

/// The numbers that a field allows, as bits, and whether its text starts with `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub bits: u64,
    pub starred: bool,
}

impl Set {
    /// The numbers, ascending.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |number| self.bits & (1 << number) != 0)
    }
}

/// A schedule's fields. Week days are 0 (Sunday) to 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub second: Set,
    pub minute: Set,
    pub hour: Set,
    pub day: Set,
    pub month: Set,
    pub weekday: Set,
}

impl Fields {
    /// Reads a schedule in the dialect that the module above describes.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let shape = |found| CronError::Shape { text: clip(text), found };
        if text.len() > MAX_LENGTH {
            return Err(CronError::TooLong { length: text.len(), limit: MAX_LENGTH });
        }
        let expanded = match text.trim() {
            name if name.starts_with('@') => expand(name).ok_or_else(|| shape(1))?,
            fields => fields,
        };
        let parts: Vec<&str> = expanded.split_ascii_whitespace().collect();
        let (second, [minute, hour, day, month, weekday]) = match *parts.as_slice() {
            [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday]),
            [second, minute, hour, day, month, weekday] => (second, [minute, hour, day, month, weekday]),
            _ => return Err(shape(parts.len())),
        };
        let mut weekday = set(&WEEKDAY, weekday)?;
        // Sunday has two numbers; inside there is one.
        if weekday.bits & (1 << 7) != 0 {
            weekday.bits = (weekday.bits | 1) & 0x7f;
        }
        Ok(Self {
            second: set(&SECOND, second)?,
            minute: set(&MINUTE, minute)?,
            hour: set(&HOUR, hour)?,
            day: set(&DAY, day)?,
            month: set(&MONTH, month)?,
            weekday,
        })
    }

    /// Whether a day that matches either day field counts (both are restricted), rather than both.
    pub fn either_day(&self) -> bool {
        !self.day.starred && !self.weekday.starred
    }

    /// Whether the schedule follows the clock through changes instead of naming fixed times.
    pub fn is_interval(&self) -> bool {
        self.minute.starred || self.hour.starred
    }
}

fn expand(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => "0 0 1 1 *",
        _ => return None,
    })
}

fn set(field: &Field, text: &str) -> Result<Set, CronError> {
    let mut bits = 0;
    for item in text.split(',') {
        bits |= item_bits(field, item)?;
    }
    Ok(Set { bits, starred: text.starts_with('*') })
}

fn item_bits(field: &Field, item: &str) -> Result<u64, CronError> {
    let refuse = |help: &str| CronError::Item { field: field.name, item: clip(item), help: help.to_owned() };
    let (base, step) = match item.split_once('/') {
        None => (item, None),
        Some((base, step)) => {
            let step = digits(step).ok_or_else(|| refuse("after / stands a whole number, such as */5"))?;
            if step == 0 {
                return Err(refuse("a step is at least 1"));
            }
            (base, Some(step))
        }
    };
    let (from, to) = if base == "*" {
        // The week is seven days long although Sunday has two numbers.
        (field.low, if field.high == 7 { 6 } else { field.high })
    } else if let Some((from, to)) = base.split_once('-') {
        let (from, mut to) = (number(field, from, item)?, number(field, to, item)?);
        // `sat-sun` and `5-0`: at the end of a range Sunday is day 7.
        if field.high == 7 && to == 0 && from > 0 {
            to = 7;
        }
        if from > to {
            return Err(refuse("a range runs from the smaller number to the larger; write two ranges to wrap around"));
        }
        (from, to)
    } else {
        let from = number(field, base, item)?;
        let to = match (step, field.high) {
            (None, _) => from,
            (Some(_), 7) => from.max(6),
            (Some(_), high) => high,
        };
        (from, to)
    };
    let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
    Ok((from..=to).step_by(step).fold(0, |bits, number| bits | 1 << number))
}

/// A number or name of the field, in range.
fn number(field: &Field, text: &str, item: &str) -> Result<u32, CronError> {
    let refuse = || {
        let names = field.names_hint;
        let help = format!("write *, a number from {} to {}{names}, a range a-b, a step */n", field.low, field.high);
        CronError::Item { field: field.name, item: clip(item), help }
    };
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let value = text.parse().ok().filter(|value| (field.low..=field.high).contains(value));
        return value.ok_or_else(|| {
            let (low, high, names) = (field.low, field.high, field.names_hint);
            CronError::Range { field: field.name, value: clip(text), low, high, names }
        });
    }
    let position = field.names.iter().position(|name| name.eq_ignore_ascii_case(text)).ok_or_else(refuse)?;
    u32::try_from(position).map(|offset| field.low + offset).map_err(|_| refuse())
}

/// A whole number written in digits only (`str::parse` would also take a plus sign). One that is too large for a number is
/// larger than any field, like 100.
fn digits(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(set: Set) -> Vec<u32> {
        set.numbers().collect()
    }

    #[test]
    fn lists_ranges_steps_and_names_are_read() {
        let fields = Fields::parse("*/20 1-5/2,22 1,15 JAN-mar,Dec mon-fri").unwrap();
        assert_eq!(numbers(fields.second), [0]);
        assert_eq!(numbers(fields.minute), [0, 20, 40]);
        assert_eq!(numbers(fields.hour), [1, 3, 5, 22]);
        assert_eq!(numbers(fields.day), [1, 15]);
        assert_eq!(numbers(fields.month), [1, 2, 3, 12]);
        assert_eq!(numbers(fields.weekday), [1, 2, 3, 4, 5]);
        assert!(fields.is_interval() && fields.either_day());
    }

    #[test]
    fn sunday_is_zero_and_seven() {
        for text in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * Sun,7"] {
            assert_eq!(numbers(Fields::parse(text).unwrap().weekday), [0], "{text}");
        }
        assert_eq!(numbers(Fields::parse("0 0 * * 5-7").unwrap().weekday), [0, 5, 6]);
        assert_eq!(numbers(Fields::parse("0 0 * * sat-sun").unwrap().weekday), [0, 6]);
        assert_eq!(numbers(Fields::parse("0 0 * * */2").unwrap().weekday), [0, 2, 4, 6]);
        assert_eq!(numbers(Fields::parse("0 0 * * 1/2").unwrap().weekday), [1, 3, 5]);
    }

    #[test]
    fn tabs_and_several_spaces_stand_between_fields_as_well() {
        assert_eq!(Fields::parse("\t0\t0 \t1  1\t*\t"), Fields::parse("0 0 1 1 *"));
    }

    #[test]
    fn six_fields_have_the_second_first() {
        let fields = Fields::parse("5/25 10 * * * *").unwrap();
        assert_eq!(numbers(fields.second), [5, 30, 55]);
        assert_eq!(numbers(fields.minute), [10]);
    }

    #[test]
    fn at_names_stand_for_their_fields() {
        assert_eq!(Fields::parse("@Weekly"), Fields::parse("0 0 * * 0"));
        assert_eq!(Fields::parse("@annually"), Fields::parse("0 0 1 1 *"));
        assert!(matches!(Fields::parse("@reboot"), Err(CronError::Shape { .. })));
    }

    #[test]
    fn errors_name_field_value_and_range() {
        let message = |text: &str| Fields::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("61 * * * *"),
            "TS-0403: in the minute field of the schedule, 61 is out of range: allowed is 0 to 59"
        );
        assert!(
            message("0 0 0 * *").contains("day-of-month field of the schedule, 0 is out of range: allowed is 1 to 31")
        );
        assert!(message("0 0 * * 8").contains("allowed is 0 to 7 (Sunday is 0 and 7) or sun to sat"));
        assert!(message("0 0 * foo *").contains("\"foo\" is not understood"));
        assert!(message("* * *").starts_with("TS-0401"));
        for bad in
            ["", "* * * *", "* * * * * * *", ", * * * *", "1,,2 * * * *", "*/0 * * * *", "5-1 * * * *", "- * * * *"]
        {
            assert!(Fields::parse(bad).is_err(), "{bad}");
        }
        for bad in ["+5 * * * *", "*/+5 * * * *", "1-2-3 * * * *", "*5 * * * *", "99999999999 * * * *", "*/ * * * *"] {
            assert!(Fields::parse(bad).is_err(), "{bad}");
        }
        let huge = message("99999999999999999999 * * * *");
        assert!(huge.contains("99999999999999999999 is out of range"), "{huge}");
        assert_eq!(Fields::parse("*/99999999999 * * * *"), Fields::parse("*/100 * * * *"));
        let long = message(&format!("{}59 * * * *", "1,".repeat(300)));
        assert!(long.starts_with("TS-0407: the schedule has 610 bytes and at most 512"), "{long}");
        assert!(message(&"1,".repeat(100_000)).starts_with("TS-0407"));
    }
}
