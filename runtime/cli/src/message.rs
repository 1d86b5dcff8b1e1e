//! What is said when something is wrong: the words, and the code that goes into their heading.

use trackside_codes::{Code, Coded};

/// An error or a warning, to be told to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    heading: Heading,
    text: String,
}

/// What stands before the words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Heading {
    /// `error`
    #[default]
    Word,
    /// `error[CODE]`
    Coded(Code),
    /// Nothing: the words tell places in files as compilers do, each with a code of its own.
    Places,
}

impl Message {
    /// Words with a code.
    pub fn coded(code: Code, text: impl Into<String>) -> Self {
        Self { heading: Heading::Coded(code), text: text.into() }
    }

    /// Words that tell places in files.
    pub fn placed(text: impl Into<String>) -> Self {
        Self { heading: Heading::Places, text: text.into() }
    }

    /// Of an error.
    pub fn of(error: &(impl Coded + ?Sized)) -> Self {
        if error.has_places() { Self::placed(error.to_string()) } else { Self::coded(error.code(), error.message()) }
    }

    /// Of a document that has the code beside the words; the words may begin with it.
    pub fn beside(code: Option<&str>, text: &str) -> Self {
        match code.and_then(Code::parse) {
            Some(code) => Self::coded(code, code.without(text)),
            None => text.into(),
        }
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The same with other words.
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        Self { text: change(self.text), ..self }
    }

    /// Under a heading such as `error`.
    pub fn under(&self, heading: &str) -> String {
        match self.heading {
            Heading::Word => format!("{heading}: {}", self.text),
            Heading::Coded(code) => format!("{heading}[{code}]: {}", self.text),
            Heading::Places => self.text.clone(),
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self { heading: Heading::Word, text }
    }
}

impl From<&String> for Message {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&Message> for Message {
    fn from(message: &Message) -> Self {
        message.clone()
    }
}

#[cfg(test)]
mod tests {
    use trackside_codes::code;
    use trackside_node::ProjectError;
    use trackside_spec::load_node_config;

    use super::*;

    #[test]
    fn the_code_of_an_error_goes_into_the_heading() {
        let error = ProjectError::NoFolder("/nowhere".into());
        assert!(error.to_string().starts_with("[TS-0621] /nowhere is not a folder"), "{error}");
        assert!(Message::of(&error).under("error").starts_with("error[TS-0621]: /nowhere is not a folder"));
        assert_eq!(Message::coded(code!("TS-0202"), "it is in use").under("error"), "error[TS-0202]: it is in use");
        assert_eq!(Message::from("[a] b").under("warning"), "warning: [a] b");
    }

    #[test]
    fn what_tells_places_needs_no_heading() {
        let error = ProjectError::Config(load_node_config("x.toml", "[nod]").unwrap_err());
        assert!(Message::of(&error).under("error").starts_with("x.toml:1:2: error[TS-0102]: "));
    }
}
