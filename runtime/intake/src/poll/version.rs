//! What makes two answers the same.

use std::error::Error;

use serde_json::Value;
use trackside_codes::{Class, Reason};
use trackside_spec::{Digest, Expr, PollChange, Scope, read_outside};

use super::look::{Answer, LookError};

/// The rule of a trigger.
pub(super) enum Rule {
    Etag,
    LastModified,
    Digest,
    Value(Expr),
    /// The expression is none: told at every look, as it can not be otherwise.
    Broken(Reason),
}

impl Rule {
    pub(super) fn new(changed: &PollChange) -> Self {
        match changed {
            PollChange::Auto | PollChange::Digest => Self::Digest,
            PollChange::Etag => Self::Etag,
            PollChange::LastModified => Self::LastModified,
            PollChange::Value(text) => match Expr::compile(text) {
                Ok(expr) => Self::Value(expr),
                Err(error) => Self::Broken(unfit(error)),
            },
        }
    }

    /// The version of an answer. Null: nothing that is to start a run.
    ///
    /// # Errors
    /// When the answer does not have what the rule goes by.
    pub(super) fn version(&self, answer: &Answer) -> Result<Value, LookError> {
        match self {
            Self::Digest => Ok(Digest::of(&answer.body).to_string().into()),
            // A weak one says as much about what has changed.
            Self::Etag => answer
                .etag
                .as_ref()
                .map(|etag| etag.trim_start_matches("W/").into())
                .ok_or(LookError::NoValidator("ETag")),
            Self::LastModified => answer
                .last_modified
                .as_ref()
                .map(|date| date.as_str().into())
                .ok_or(LookError::NoValidator("Last-Modified")),
            Self::Value(expr) => {
                let trigger = serde_json::json!({ "payload": document(&answer.body).map_err(LookError::Unreadable)? });
                let nothing = Value::Object(serde_json::Map::new());
                let scope = Scope::new(&nothing, &trigger, &nothing, &nothing);
                let value = expr.eval(&scope).map_err(|error| LookError::Unreadable(unfit(error)))?;
                let text = value.to_string();
                // What is remembered and told stays small.
                Ok(if text.len() > 1024 { Digest::of(text.as_bytes()).to_string().into() } else { value })
            }
            Self::Broken(reason) => Err(LookError::Unreadable(reason.clone())),
        }
    }
}

fn unfit(error: impl Error + Send + Sync + 'static) -> Reason {
    Reason::by(Class::BadFile, error).told(|text| format!("`changed`: {text}"))
}

/// A body as a JSON document.
///
/// # Errors
/// When it is none.
pub(super) fn document(body: &[u8]) -> Result<Value, Reason> {
    read_outside(body).map_err(|error| {
        Reason::by(Class::BadInput, error)
            .told(|text| format!("the body is no JSON document that can be taken: {text}"))
    })
}

#[cfg(test)]
mod tests {
    use trackside_codes::Coded;

    use super::*;

    fn answer(etag: Option<&str>, body: &str) -> Answer {
        Answer { etag: etag.map(str::to_owned), last_modified: None, body: body.into() }
    }

    #[test]
    fn each_rule_goes_by_its_own_part_of_an_answer() {
        let etag = Rule::new(&PollChange::Etag);
        assert_eq!(
            etag.version(&answer(Some("W/\"a\""), "1")).unwrap(),
            etag.version(&answer(Some("\"a\""), "2")).unwrap()
        );
        assert!(etag.version(&answer(None, "1")).is_err_and(|error| error.code() == "TS-0463"));
        let date = Rule::new(&PollChange::LastModified);
        assert!(date.version(&answer(Some("x"), "1")).is_err_and(|error| error.code() == "TS-0463"));
        let bytes = Rule::new(&PollChange::Auto);
        assert_eq!(bytes.version(&answer(Some("a"), "1")).unwrap(), bytes.version(&answer(Some("b"), "1")).unwrap());
        assert_ne!(bytes.version(&answer(Some("a"), "1")).unwrap(), bytes.version(&answer(Some("a"), "2")).unwrap());
    }

    #[test]
    fn an_expression_sees_the_document_and_says_what_does_not_fit() {
        let rule = Rule::new(&PollChange::Value("trigger.payload.ready ? trigger.payload.version : null".into()));
        assert_eq!(rule.version(&answer(None, r#"{"ready":true,"version":3,"at":9}"#)).unwrap(), 3);
        assert_eq!(rule.version(&answer(None, r#"{"ready":false}"#)).unwrap(), Value::Null);
        for bad in ["", "no", "[1]", r#"{"version":3}"#] {
            assert!(rule.version(&answer(None, bad)).is_err_and(|error| error.code() == "TS-0464"), "{bad}");
        }
        let large = Rule::new(&PollChange::Value("trigger.payload".into()));
        let long = format!("\"{}\"", "x".repeat(5_000));
        assert!(large.version(&answer(None, &long)).unwrap().to_string().len() < 100);
    }
}
