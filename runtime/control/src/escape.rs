//! Text that others wrote, made harmless for a terminal.

use std::{borrow::Cow, fmt::Write as _};

/// The text with every character that could move the cursor, change colours or turn the reading direction written out,
/// line feeds and tabs included: the result is one line.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => clean.push_str("\\n"),
            '\r' => clean.push_str("\\r"),
            '\t' => clean.push_str("\\t"),
            c if is_dangerous(c) => {
                // Writing to a string does not fail.
                let _ = write!(clean, "\\u{{{:x}}}", u32::from(c));
            }
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

fn is_dangerous(c: char) -> bool {
    // The second group turns the reading direction or hides itself.
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_moves_it() {
        assert_eq!(escape("plain – text ✔"), "plain – text ✔");
        assert_eq!(escape("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(escape("one\r\ntwo\t3"), "one\\r\\ntwo\\t3");
        assert_eq!(escape("\u{9b}31m\u{7f}\u{202e}abc"), "\\u{9b}31m\\u{7f}\\u{202e}abc");
    }
}
