//! A reader of JSON that makes no tree: large arrays of numbers go straight into a tensor's bytes.
//!
//! It takes what RFC 8259 does and the bare words `NaN`, `Infinity` and `-Infinity`, which the JSON writers of Python and of the
//! protocol's own clients make of such floats. Texts with escapes are read by `serde_json`.

use std::borrow::Cow;

use super::super::failure::Failure;

/// How deep what is passed over may be nested.
const MAX_DEPTH: usize = 64;

/// A text that is being read.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// What a value begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Text,
    Number,
    Bool,
    Null,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Another reader of the same text, from there on.
    pub(crate) const fn at(other: &Self, at: usize) -> Self {
        Self { bytes: other.bytes, at }
    }

    /// How many bytes are left.
    pub(crate) const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// No JSON, and where.
    pub(crate) fn broken(&self, why: &str) -> Failure {
        Failure::invalid(format!("the body is no JSON at byte {}: {why}", self.at))
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    /// The next byte that is no space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, Failure> {
        self.space();
        self.byte().ok_or_else(|| self.broken("it ends too early"))
    }

    /// Takes this byte, if it is the next that is no space.
    #[inline]
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.space();
        let is_there = self.byte() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    /// That nothing is left.
    pub(crate) fn end(&mut self) -> Result<(), Failure> {
        self.space();
        if self.left() > 0 { Err(self.broken("something follows the request")) } else { Ok(()) }
    }

    pub(crate) fn kind(&mut self) -> Result<Kind, Failure> {
        Ok(match self.peek()? {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b'"' => Kind::Text,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' | b'N' | b'I' => Kind::Number,
            _ => return Err(self.broken("no value begins so")),
        })
    }

    /// The next key of an object, whose `{` was taken before the first; `None` behind the last.
    pub(crate) fn key(&mut self, is_first: &mut bool) -> Result<Option<Cow<'a, str>>, Failure> {
        if self.take(b'}') {
            return Ok(None);
        }
        let is_another = std::mem::replace(is_first, false) || self.take(b',');
        if !is_another || self.peek()? != b'"' {
            return Err(self.broken("a comma, a brace or a key is missing"));
        }
        let key = self.text()?;
        if !self.take(b':') {
            return Err(self.broken("a colon is missing"));
        }
        Ok(Some(key))
    }

    /// Whether there is another value in an array, whose `[` was taken before the first.
    #[inline]
    pub(crate) fn another(&mut self, is_first: &mut bool) -> Result<bool, Failure> {
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(false);
        }
        if std::mem::replace(is_first, false) {
            return Ok(true);
        }
        if !self.take(b',') || self.peek()? == b']' {
            return Err(self.broken("a comma, a bracket or a value is missing"));
        }
        Ok(true)
    }

    /// A text.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Failure> {
        self.space();
        let start = self.at;
        self.at += 1;
        let mut is_plain = true;
        loop {
            match self.byte() {
                None => return Err(self.broken("a string does not end")),
                Some(b'"') => break,
                Some(b'\\') => {
                    is_plain = false;
                    self.at += 2;
                }
                Some(0..0x20) => return Err(self.broken("a control character in a string must be escaped")),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let quoted = &self.bytes[start..self.at];
        if is_plain {
            let inner = std::str::from_utf8(&quoted[1..quoted.len() - 1]);
            return inner.map(Cow::Borrowed).map_err(|_| self.broken("a string is no UTF-8"));
        }
        serde_json::from_slice::<String>(quoted)
            .map(Cow::Owned)
            .map_err(|_| self.broken("an escape in a string is wrong, or it is no UTF-8"))
    }

    /// A boolean.
    #[inline]
    pub(crate) fn boolean(&mut self) -> Result<bool, Failure> {
        if self.word("true") {
            Ok(true)
        } else if self.word("false") {
            Ok(false)
        } else {
            Err(self.broken("no value begins so"))
        }
    }

    #[inline]
    fn word(&mut self, word: &str) -> bool {
        self.space();
        let is_there = self.bytes[self.at..].starts_with(word.as_bytes());
        self.at += if is_there { word.len() } else { 0 };
        is_there
    }

    /// The text of a number, with JSON's own grammar, or one of the three words.
    #[inline]
    pub(crate) fn number(&mut self) -> Result<&'a str, Failure> {
        self.space();
        let start = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while let Some(b'0'..=b'9') = reader.byte() {
                reader.at += 1;
            }
            reader.at > from
        };
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let is_number = match self.byte() {
            Some(b'0') => {
                self.at += 1;
                !matches!(self.byte(), Some(b'0'..=b'9'))
            }
            Some(b'1'..=b'9') => digits(self),
            Some(b'I') => return self.special(start, "Infinity"),
            Some(b'N') if self.at == start => return self.special(start, "NaN"),
            _ => false,
        };
        if !is_number {
            return Err(self.broken("this is no number"));
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            if !digits(self) {
                return Err(self.broken("a digit is missing"));
            }
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            if !digits(self) {
                return Err(self.broken("a digit is missing"));
            }
        }
        Ok(self.ascii(start))
    }

    #[cold]
    fn special(&mut self, start: usize, word: &str) -> Result<&'a str, Failure> {
        if self.word(word) { Ok(self.ascii(start)) } else { Err(self.broken("no value begins so")) }
    }

    /// From there to here, all of it ASCII.
    #[inline]
    fn ascii(&self, start: usize) -> &'a str {
        std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default()
    }

    /// Passes over a value, whatever it is.
    pub(crate) fn skip(&mut self) -> Result<(), Failure> {
        self.skip_at(0)
    }

    fn skip_at(&mut self, depth: usize) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return Err(self.broken("it is nested too deep"));
        }
        match self.kind()? {
            Kind::Object => {
                self.at += 1;
                let mut is_first = true;
                while self.key(&mut is_first)?.is_some() {
                    self.skip_at(depth + 1)?;
                }
            }
            Kind::Array => {
                self.at += 1;
                let mut is_first = true;
                while self.another(&mut is_first)? {
                    self.skip_at(depth + 1)?;
                }
            }
            Kind::Text => drop(self.text()?),
            Kind::Bool => drop(self.boolean()?),
            Kind::Number => drop(self.number()?),
            Kind::Null => self.null()?,
        }
        Ok(())
    }

    /// `null`.
    pub(crate) fn null(&mut self) -> Result<(), Failure> {
        if self.word("null") { Ok(()) } else { Err(self.broken("no value begins so")) }
    }

    /// The bytes from `start` on that were read.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    /// Where it stands.
    pub(crate) const fn place(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn whole(text: &str) -> Result<(), Failure> {
        let mut reader = Reader::new(text.as_bytes());
        reader.skip()?;
        reader.end()
    }

    #[test]
    fn what_another_reader_takes_is_taken_and_nothing_else() {
        for text in [
            "{}",
            "[]",
            "[1,2 , 3]",
            "{\"a\":[{}],\"b\":null}",
            " true ",
            "-0",
            "0.5e+3",
            "\"\\u00e9\\n\"",
            "1E5",
            "[[],[]]",
            "\"\u{e9}\"",
            "{\"\":0}",
            "",
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{,}",
            "{\"a\"}",
            "{a:1}",
            "01",
            "1.",
            ".5",
            "-",
            "1e",
            "+1",
            "[1 2]",
            "\"a",
            "\"\\x\"",
            "\"\n\"",
            "nul",
            "tru",
            "1 1",
            "[}",
            "{]",
            "\"\\ud800\"",
            "\"\\",
            "--1",
            "\\",
            "0123",
            "-01",
            "{\"a\":1 \"b\":2}",
            "[1,,2]",
            "]",
            "}",
            "1.e5",
            "{\"a\" : , }",
        ] {
            let other = serde_json::from_str::<Value>(text);
            assert_eq!(whole(text).is_ok(), other.is_ok(), "{text:?}: {other:?}");
        }
    }

    #[test]
    fn the_words_for_floats_without_a_number_are_taken_where_numbers_are() {
        for text in ["NaN", "Infinity", "-Infinity", "[NaN,-Infinity]"] {
            whole(text).unwrap();
        }
        for text in ["-NaN", "Inf", "nan", "infinity", "--Infinity", "+Infinity"] {
            whole(text).unwrap_err();
        }
    }

    #[test]
    fn what_nests_too_deep_is_refused_and_not_followed() {
        let text = whole(&"[".repeat(100_000)).unwrap_err().to_string();
        assert!(text.contains("too deep"), "{text}");
    }
}
