//! Whole numbers in JSON that would be rounded in silence. JSON's readers take a whole number beyond 64 bits for a double,
//! and its last digits are gone before anybody can ask; so the text is looked at.

use crate::number::whole_number;

/// The first whole number beyond 64 bits (below -2^63 or above 2^64-1) in a text that is JSON: where it begins, and its
/// digits. One with a point or an exponent is a double by its own word and no such number; nor is one that has the digits of
/// its double, as JavaScript writes 1e20: nothing of it is lost. In a text that is no JSON the answer means nothing.
#[must_use]
pub fn too_large(json: &[u8]) -> Option<(usize, &str)> {
    let mut at = 0;
    while at < json.len() {
        match json[at] {
            b'"' => at = string_end(json, at + 1),
            b'-' | b'0'..=b'9' => {
                let length = json[at..]
                    .iter()
                    .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
                    .count();
                let token = std::str::from_utf8(&json[at..at + length]).unwrap_or_default();
                // 18 digits and a sign fit in any case.
                if length > 18 && !token.contains(['.', 'e', 'E']) && whole_number(token).is_none() && !is_double(token)
                {
                    return Some((at, token));
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

/// Whether these are the digits of a double, as few of them as tell it from its neighbours and zeros behind them.
fn is_double(digits: &str) -> bool {
    // No double has more.
    digits.len() < 320 && digits.parse::<f64>().is_ok_and(|number| number.to_string() == digits)
}

/// The place behind the quote that ends a string.
fn string_end(json: &[u8], mut at: usize) -> usize {
    while at < json.len() {
        match json[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// For people: what is wrong with a text that holds such a number.
#[must_use]
pub fn problem(json: &[u8]) -> Option<String> {
    let (_, digits) = too_large(json)?;
    Some(format!("{} is {}", crate::json::clip(digits, 40), crate::number::TOO_LARGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_beyond_64_bits_are_found_wherever_they_stand() {
        for (text, digits) in [
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("{\"a\":[1, 99999999999999999999]}", "99999999999999999999"),
            ("[\"\\\"\", 100000000000000000001]", "100000000000000000001"),
            ("[123456789012345678901234567890]", "123456789012345678901234567890"),
        ] {
            assert_eq!(too_large(text.as_bytes()).unwrap().1, digits, "{text}");
        }
        assert!(problem(&[b'9'; 5_000]).unwrap().len() < 300);
    }

    #[test]
    fn what_is_kept_or_is_no_number_is_let_through() {
        for text in [
            "18446744073709551615",
            "-9223372036854775808",
            "[0.00000000000000000000001, 1e40, 100000000000000000000.0, 1E+40]",
            // As JavaScript writes them.
            "[100000000000000000000, -123456789012345680000]",
            "\"99999999999999999999\"",
            "{\"99999999999999999999\": \"\\\\\"}",
            "\"\\\"99999999999999999999\"",
            "",
            "\"",
            "\"\\",
        ] {
            assert_eq!(too_large(text.as_bytes()), None, "{text}");
        }
    }
}
