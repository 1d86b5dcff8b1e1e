//! Numbers as they come from outside. A whole number that is written without a point or an exponent is kept to its last
//! digit, from -2^63 to 2^64-1; one beyond that is refused, since a double would round it in silence. All others are
//! doubles.

use std::cmp::Ordering;

use serde_json::Value;

use crate::json;

/// What is told of a whole number that is kept nowhere.
pub const TOO_LARGE: &str = "a whole number beyond 64 bits; write it as a text, or with a point if it may be rounded";

/// Every whole number up to here has a double of its own.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A finite number.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A whole one, written as such.
    Whole(i128),
    /// Any other.
    Real(f64),
}

/// Why a text is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoNumber {
    /// It is something else.
    Other,
    /// A whole number beyond 64 bits.
    TooLarge,
}

impl Number {
    /// Reads a decimal number: `12`, `-1.5e3`, `+3`, `.5`, `5.`, `007`. No other base, no separator of thousands, no decimal
    /// comma, no infinity.
    ///
    /// # Errors
    /// For anything else.
    pub fn parse(text: &str) -> Result<Self, NoNumber> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(unsigned);
        let rest = &unsigned[whole..];
        if rest.is_empty() && whole > 0 {
            return whole_number(text).map(Self::Whole).ok_or(NoNumber::TooLarge);
        }
        let (rest, part) = match rest.strip_prefix('.') {
            Some(rest) => (&rest[digits(rest)..], digits(rest)),
            None => (rest, 0),
        };
        let exponent = match rest.strip_prefix(['e', 'E']) {
            Some(rest) => {
                let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
                !rest.is_empty() && digits(rest) == rest.len()
            }
            None => rest.is_empty(),
        };
        if whole + part == 0 || !exponent {
            return Err(NoNumber::Other);
        }
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(Self::Real).ok_or(NoNumber::Other)
    }

    /// A number of a JSON document. Its text is known no more: a reader looks for whole numbers beyond 64 bits with
    /// [`crate::exact`] first.
    #[must_use]
    pub fn of(number: &serde_json::Number) -> Option<Self> {
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        whole.map(Self::Whole).or_else(|| number.as_f64().map(Self::Real))
    }

    /// A number of a contract, say; `None` when it is not finite.
    #[must_use]
    pub fn real(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self::Real(number))
    }

    /// A whole number, also one that is written `5.0` or `5e3`: up to 2^53, where a double has one for each.
    #[must_use]
    pub fn whole(self) -> Option<i128> {
        match self {
            Self::Whole(number) => Some(number),
            Self::Real(number) => (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i128),
        }
    }

    /// The nearest double.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Real(number) => number,
        }
    }

    /// By their values, exactly: 9007199254740993 lies between the doubles beside it.
    #[must_use]
    pub fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            (Self::Real(a), Self::Real(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Self::Whole(a), Self::Real(b)) => whole_and_real(a, b),
            (Self::Real(a), Self::Whole(b)) => whole_and_real(b, a).reverse(),
        }
    }

    /// The same text for equal numbers, and for no others.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            // A whole double is exact, however large, and so is its text.
            Self::Real(number) if number.fract() == 0.0 && number.abs() < 1e30 => (number as i128).to_string(),
            Self::Real(number) => number.to_string(),
        }
    }

    /// For JSON: a whole number with all of its digits.
    #[must_use]
    pub fn to_json(self) -> Value {
        match self {
            Self::Whole(number) => i64::try_from(number)
                .map(Value::from)
                .or_else(|_| u64::try_from(number).map(Value::from))
                .unwrap_or(Value::Null),
            Self::Real(number) => serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number),
        }
    }

    /// For reports: a whole number without a fraction, however it was written.
    #[must_use]
    pub fn shown(self) -> Value {
        match self {
            Self::Whole(_) => self.to_json(),
            Self::Real(number) => json::number(number),
        }
    }
}

/// Digits with a sign, as a number that 64 bits hold.
pub(crate) fn whole_number(text: &str) -> Option<i128> {
    text.parse::<i128>().ok().filter(|number| (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number))
}

fn whole_and_real(whole: i128, real: f64) -> Ordering {
    // Beyond 2^100 no whole number of 64 bits is near.
    if real.abs() > 1e30 {
        return if real > 0.0 { Ordering::Less } else { Ordering::Greater };
    }
    whole.cmp(&(real.trunc() as i128)).then_with(|| 0.0.partial_cmp(&real.fract()).unwrap_or(Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(number: f64) -> Number {
        Number::Real(number)
    }

    #[test]
    fn decimal_numbers_are_read_however_they_are_written() {
        for (text, json) in [
            ("12", "12"),
            ("+3", "3"),
            ("-1.5e3", "-1500.0"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("5.", "5.0"),
            ("5.e2", "500.0"),
            ("007", "7"),
            ("00.50", "0.5"),
            ("-0", "0"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("00000000000000000000000000000000000000000000000001", "1"),
            ("1e20", "1e+20"),
        ] {
            assert_eq!(Number::parse(text).unwrap().to_json().to_string(), json, "{text}");
        }
    }

    #[test]
    fn what_is_none_or_would_be_rounded_is_refused() {
        for text in [
            "", ".", "+", "-", "e5", ".e5", "1e", "1e+", "1.5.2", "1,5", "1_000", "1 000", "0x10", "inf", "-inf",
            "NaN", "infinity", "1e999", "--1", "+-1", "１", " 1", "1f64",
        ] {
            assert_eq!(Number::parse(text).unwrap_err(), NoNumber::Other, "{text}");
        }
        for text in ["18446744073709551616", "-9223372036854775809", &"9".repeat(400)] {
            assert_eq!(Number::parse(text).unwrap_err(), NoNumber::TooLarge, "{text}");
        }
    }

    #[test]
    fn numbers_are_compared_to_their_last_digit() {
        use Ordering::{Equal, Greater, Less};
        let whole = Number::Whole;
        for (a, b, order) in [
            (whole(9_007_199_254_740_993), whole(9_007_199_254_740_992), Greater),
            (whole(9_007_199_254_740_993), real(9_007_199_254_740_992.0), Greater),
            (whole(1), real(1.0), Equal),
            (whole(1), real(1.5), Less),
            (whole(-1), real(-1.5), Greater),
            (whole(0), real(-0.5), Greater),
            (whole(i128::from(u64::MAX)), real(1e300), Less),
            (whole(i128::from(u64::MAX)), real(18_446_744_073_709_551_616.0), Less),
            (real(0.5), whole(0), Greater),
        ] {
            assert_eq!((a.compare(b), b.compare(a)), (order, order.reverse()), "{a:?} {b:?}");
            assert_eq!(a.key() == b.key(), order == Equal, "{a:?} {b:?}");
        }
    }
}
