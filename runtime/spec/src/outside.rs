//! JSON that comes from outside: bodies, messages, arguments, outputs of plugins.

use serde::de::DeserializeOwned;
use trackside_rows::exact;

/// Why a text from outside is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// It is no JSON, or not the document that is wanted.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It holds a whole number that no 64 bits hold: a parser would round it and say nothing.
    #[error("{0}")]
    Inexact(String),
}

/// Reads a JSON document. Whole numbers are kept to their last digit, or the document is refused.
///
/// # Errors
/// [`OutsideError`].
pub fn read_outside<T: DeserializeOwned>(text: &[u8]) -> Result<T, OutsideError> {
    let document = serde_json::from_slice(text)?;
    exact::problem(text).map_or(Ok(document), |problem| Err(OutsideError::Inexact(problem)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn whole_numbers_are_kept_or_refused() {
        let read = |text: &str| read_outside::<Value>(text.as_bytes());
        assert_eq!(read("[18446744073709551615, 1e20]").unwrap(), json!([u64::MAX, 1e20]));
        let error = read("{\"id\": 18446744073709551616}").unwrap_err();
        assert!(error.to_string().starts_with("18446744073709551616 is a whole number beyond 64 bits"), "{error}");
        assert!(matches!(read("{"), Err(OutsideError::Json(_))));
    }
}
