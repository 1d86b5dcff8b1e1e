//! A stable code.

use std::fmt;

use crate::{Class, TABLE, table::position};

/// A stable code; shown as `TS-0711`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

/// The code of a literal; does not compile where the table has none.
#[macro_export]
macro_rules! code {
    ($text:literal) => {
        const { $crate::Code::known($text) }
    };
}

impl Code {
    pub(crate) const fn numbered(number: u16) -> Self {
        Self(number)
    }

    /// For `code!`, which calls it while the program is compiled.
    ///
    /// # Panics
    /// Where the table has no such code.
    #[doc(hidden)]
    #[must_use]
    pub const fn known(text: &str) -> Self {
        let number = number_of(text);
        assert!(position(number).is_some(), "runtime/codes/src/table.rs has no such code");
        Self(number)
    }

    /// The code in the `code` of a document from elsewhere, also one that only a newer version has.
    #[must_use]
    pub const fn parse(text: &str) -> Option<Self> {
        match number_of(text) {
            0 => None,
            number => Some(Self(number)),
        }
    }

    /// Whether the table has it.
    #[must_use]
    pub const fn is_known(self) -> bool {
        position(self.0).is_some()
    }

    pub(crate) const fn number(self) -> u16 {
        self.0
    }

    /// What kind of trouble it stands for. One that the table does not have is a defect in itself.
    #[must_use]
    pub const fn class(self) -> Class {
        match position(self.0) {
            Some(at) => TABLE[at].class,
            None => Class::Bug,
        }
    }

    /// What it means, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match position(self.0) {
            Some(at) => TABLE[at].meaning,
            None => "",
        }
    }

    /// What helps; empty where the meaning says it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match position(self.0) {
            Some(at) => TABLE[at].remedy,
            None => "",
        }
    }

    /// A text of this code without the code before it: `[TS-0711] text` and `TS-0711: text` are the two ways in which errors
    /// show theirs.
    #[must_use]
    pub fn without(self, text: &str) -> &str {
        let bracketed = text.strip_prefix(&format!("[{self}] "));
        bracketed.or_else(|| text.strip_prefix(&format!("{self}: "))).unwrap_or(text)
    }
}

/// 0 for what is no code.
const fn number_of(text: &str) -> u16 {
    let bytes = text.as_bytes();
    if bytes.len() != 7 || bytes[0] != b'T' || bytes[1] != b'S' || bytes[2] != b'-' {
        return 0;
    }
    let (mut number, mut at) = (0, 3);
    while at < 7 {
        if !bytes[at].is_ascii_digit() {
            return 0;
        }
        number = number * 10 + (bytes[at] - b'0') as u16;
        at += 1;
    }
    number
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TS-{:04}", self.0)
    }
}

/// For the many literals of the readers of files; a test holds every literal of the sources against the table.
impl From<&'static str> for Code {
    fn from(text: &'static str) -> Self {
        Self(number_of(text))
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, other: &&str) -> bool {
        self.0 != 0 && self.0 == number_of(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_shown_as_it_is_written() {
        let code = code!("TS-0711");
        assert_eq!(code.to_string(), "TS-0711");
        assert_eq!(code, "TS-0711");
        assert_eq!(Code::from("TS-0711"), code);
        assert_eq!(Code::parse("TS-0711"), Some(code));
        assert_eq!((code.class(), code.remedy()), (Class::NotFound, "The message lists those that there are"));
    }

    #[test]
    fn what_is_no_code_is_none() {
        for bad in ["", "TS-", "TS-071", "TS-07111", "ts-0711", "TS-07a1", "TS-0000", "[TS-0711]", "TS-\u{e9}11"] {
            assert_eq!(Code::parse(bad), None, "{bad}");
        }
        assert!(Code::from("nonsense") != "nonsense");
        assert!(Code::parse("TS-9999").is_some_and(|code| !code.is_known() && code.class() == Class::Bug));
    }

    #[test]
    fn a_text_loses_its_own_code_only() {
        let code = code!("TS-0711");
        assert_eq!(code.without("[TS-0711] a"), "a");
        assert_eq!(code.without("TS-0711: a"), "a");
        for other in ["[TS-0712] a", "TS-0711 a", "a [TS-0711] b", "[TS-0711]a"] {
            assert_eq!(code.without(other), other);
        }
    }
}
