//! JSON that comes from outside: bodies, messages, arguments, outputs of plugins.

use serde::de::DeserializeOwned;
use trackside_rows::exact;

/// The longest that an event brings, bytes of JSON.
pub const MAX_EVENT: usize = 64 << 10;

/// Why a text from outside is not taken.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// It is no JSON, or not the document that is wanted.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A parser would lose some of it and say nothing: a whole number that no 64 bits hold, a name that stands twice.
    #[error("{0}")]
    Lossy(String),
}

/// Reads a JSON document. Nothing of it is lost in silence: whole numbers are kept to their last digit and each name stands
/// once in an object, or the document is refused.
///
/// # Errors
/// [`OutsideError`].
pub fn read_outside<T: DeserializeOwned>(text: &[u8]) -> Result<T, OutsideError> {
    let document = serde_json::from_slice(text)?;
    exact::problem(text).map_or(Ok(document), |problem| Err(OutsideError::Lossy(problem)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn nothing_is_lost_in_silence() {
        let read = |text: &str| read_outside::<Value>(text.as_bytes());
        assert_eq!(read("[18446744073709551615, 1e20]").unwrap(), json!([u64::MAX, 1e20]));
        let error = read("{\"id\": 18446744073709551616}").unwrap_err();
        assert!(error.to_string().starts_with("18446744073709551616 is a whole number beyond 64 bits"), "{error}");
        assert!(matches!(read("{\"id\": 1, \"id\": 2}"), Err(OutsideError::Lossy(_))));
        assert!(matches!(read("{"), Err(OutsideError::Json(_))));
    }
}
