//! Something from outside that was refused, as far as it is kept for inspection.

/// Bytes of it that a decision shows.
const SHOWN: usize = 700;

/// The beginning of what was refused, for people: control characters are escaped.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    let beginning = bytes.get(..SHOWN).unwrap_or(bytes);
    let mut text = String::new();
    for character in String::from_utf8_lossy(beginning).chars() {
        if character.is_control() {
            text.extend(character.escape_debug());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_readable_bounded_and_can_not_move_a_cursor() {
        assert_eq!(printable(b"{\"n\": 1}\x1b[2J\xff"), "{\"n\": 1}\\u{1b}[2J\u{fffd}");
        assert_eq!(printable(&[b'x'; 5_000]).len(), SHOWN);
    }
}
