//! What JSON's readers lose in silence, and so the text is looked at: they take a whole number beyond 64 bits for a double,
//! and its last digits are gone before anybody can ask; and of a name that stands twice in one object they keep the last
//! value (RFC 8259 leaves open which, RFC 7493 forbids it).

use std::borrow::Cow;

use crate::{json::clip, number::whole_number};

/// What a reader would lose.
#[derive(Debug, PartialEq, Eq)]
enum Loss<'t> {
    /// Digits of this whole number beyond 64 bits (below -2^63 or above 2^64-1). One with a point or an exponent is a double
    /// by its own word and no such number; nor is one that has the digits of its double, as JavaScript writes 1e20: nothing
    /// of it is lost.
    Digits(&'t str),
    /// All but one of the values that have this name in one object.
    Value(String),
}

/// For people: what of a text that is JSON a reader would lose in silence. In a text that is no JSON the answer means nothing.
#[must_use]
pub fn problem(json: &[u8]) -> Option<String> {
    Some(match loss(json)? {
        Loss::Digits(digits) => format!("{} is {}", clip(digits, 40), crate::number::TOO_LARGE),
        Loss::Value(name) => {
            format!(
                "the name {:?} stands twice in one object, and only one of its values could be kept",
                clip(&name, 80)
            )
        }
    })
}

/// The first number that would be rounded, or a name that stands twice in the first such object that ends.
fn loss(json: &[u8]) -> Option<Loss<'_>> {
    // The names of all open objects.
    let mut names: Vec<Cow<'_, [u8]>> = Vec::new();
    // For each open object or list where its own names begin, and whether it is an object.
    let mut open: Vec<(usize, bool)> = Vec::new();
    // Whether a text that comes now would be a name.
    let mut is_name = false;
    let mut at = 0;
    while at < json.len() {
        let begin = at;
        at += 1;
        match json[begin] {
            b'"' => {
                at = string_end(json, at);
                if is_name {
                    names.push(name(json.get(begin..at)?));
                }
                is_name = false;
            }
            b'-' | b'0'..=b'9' => {
                let token = number_at(json, begin);
                at = begin + token.len();
                // 18 digits and a sign fit in any case.
                if token.len() > 18
                    && !token.contains(['.', 'e', 'E'])
                    && whole_number(token).is_none()
                    && !is_double(token)
                {
                    return Some(Loss::Digits(token));
                }
            }
            byte @ (b'{' | b'[') => {
                is_name = byte == b'{';
                open.push((names.len(), is_name));
            }
            b'}' | b']' => {
                let (own, _) = open.pop()?;
                names[own..].sort_unstable();
                if let Some(pair) = names[own..].windows(2).find(|pair| pair[0] == pair[1]) {
                    return Some(Loss::Value(String::from_utf8_lossy(&pair[0]).into_owned()));
                }
                names.truncate(own);
                is_name = false;
            }
            b',' => is_name = open.last().is_some_and(|&(_, is_object)| is_object),
            _ => {}
        }
    }
    None
}

/// The number that begins here.
fn number_at(json: &[u8], at: usize) -> &str {
    let length =
        json[at..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
    // Of these bytes alone every text is UTF-8.
    std::str::from_utf8(&json[at..at + length]).unwrap_or_default()
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

/// What a quoted text means.
fn name(quoted: &[u8]) -> Cow<'_, [u8]> {
    let between = quoted.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(quoted);
    if !between.contains(&b'\\') {
        return Cow::Borrowed(between);
    }
    match serde_json::from_slice::<String>(quoted) {
        Ok(text) => Cow::Owned(text.into_bytes()),
        Err(_) => Cow::Borrowed(between),
    }
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
            assert_eq!(loss(text.as_bytes()), Some(Loss::Digits(digits)), "{text}");
        }
        assert!(problem(&[b'9'; 5_000]).unwrap().len() < 300);
    }

    #[test]
    fn a_name_that_stands_twice_in_one_object_is_found_however_it_is_written() {
        for (text, name) in [
            (r#"{"a":1,"a":2}"#, "a"),
            (r#"{"a":1,"b":{"a":2},"a":3}"#, "a"),
            (r#"[{"a":1},{"b":[{}, {"c":"c","d":{},"c":[]}]}]"#, "c"),
            (r#"{"":1,"":1}"#, ""),
            (r#"{"a" : "}" , "\u0061" : "{"}"#, "a"),
            (r#"{"a\"b":1, "x":"\\", "a\"b":1}"#, "a\"b"),
            (r#"{"ä":1,"\u00e4":2}"#, "ä"),
        ] {
            assert_eq!(loss(text.as_bytes()), Some(Loss::Value(name.to_owned())), "{text}");
            assert!(problem(text.as_bytes()).unwrap().contains("stands twice in one object"));
        }
        for text in [
            r#"{"a":1,"b":1}"#,
            r#"{"a":"a","b":["a","a",{"a":"b"}],"c":{"a":1}}"#,
            r#"[{"a":1},{"a":1}]"#,
            r#"{"a":{"b":1},"b":2}"#,
            r#"{"a":"b","b":"a"}"#,
            r#"["a","a"]"#,
            r#"{"a":1,"A":2,"a ":3}"#,
            r#""a""#,
            "",
            "}",
            "{\"a",
            "{\"a\\",
        ] {
            assert_eq!(loss(text.as_bytes()), None, "{text}");
        }
        // As many as anybody likes to send.
        let many: Vec<String> = (0..50_000).map(|number| format!("\"{}\":0", number % 49_999)).collect();
        assert_eq!(loss(format!("{{{}}}", many.join(",")).as_bytes()), Some(Loss::Value("0".to_owned())));
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
            assert_eq!(loss(text.as_bytes()), None, "{text}");
        }
    }
}
