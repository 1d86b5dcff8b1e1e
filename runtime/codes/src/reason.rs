//! Why something was not done, below the errors that have a code.

use std::{error::Error, fmt, sync::Arc};

use crate::{Class, Coded};

/// Why something was not done: a sentence that becomes a part of an error, with the kind of trouble and the cause.
///
/// For what has no code of its own, because whoever asked for it has: a file that is no key, a text that is no address.
#[derive(Debug, Clone)]
pub struct Reason(Box<Kept>);

/// Behind a pointer: it stands in many errors, and those in many results that are no errors.
#[derive(Debug, Clone)]
struct Kept {
    class: Class,
    text: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Reason {
    /// In words.
    pub fn new(class: Class, text: impl Into<String>) -> Self {
        Self(Box::new(Kept { class, text: text.into(), source: None }))
    }

    /// In the words of an error, which is kept.
    pub fn by(class: Class, error: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(Kept { class, text: error.to_string(), source: Some(Arc::new(error)) }))
    }

    /// In words of its own, with what caused it.
    pub fn because(class: Class, text: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(Kept { class, text: text.into(), source: Some(cause.into().into()) }))
    }

    /// The same of an error that knows its class.
    pub fn of(error: impl Coded + Error + Send + Sync + 'static) -> Self {
        Self::by(error.class(), error)
    }

    /// The disk's.
    #[must_use]
    pub fn disk(error: std::io::Error) -> Self {
        Self::by(Class::Disk, error)
    }

    /// The same cause in other words.
    #[must_use]
    pub fn told(mut self, tell: impl FnOnce(&str) -> String) -> Self {
        self.0.text = tell(&self.0.text);
        self
    }

    /// What kind of trouble it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.0.class
    }
}

/// What was given is wrong.
impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::new(Class::BadInput, text)
    }
}

/// What was given is wrong.
impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl Error for Reason {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_keeps_its_class_and_its_cause_under_other_words() {
        let told = Reason::disk(std::io::Error::other("no room")).told(|text| format!("cannot write: {text}"));
        assert_eq!(told.to_string(), "cannot write: no room");
        assert_eq!(told.class(), Class::Disk);
        assert!(told.source().is_some_and(|source| source.is::<std::io::Error>()));
        assert_eq!(Reason::from("it is no key").class(), Class::BadInput);
        assert!(Reason::from("it is no key").source().is_none());
    }
}
