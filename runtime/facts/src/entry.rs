//! An entry of the journal: the events of one moment, as they lie on disk.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_spec::Digest;

/// The events of one entry. Programs before this form wrote JSON, and such entries are read for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A JSON array.
    Json(String),
    /// The same in the packed form, see [`trackside_packed`].
    Packed(Vec<u8>),
}

/// Why an entry can not be read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// It is JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is packed.
    #[error(transparent)]
    Packed(#[from] trackside_packed::Error),
}

impl Entry {
    /// Of these events. What does not go into the packed form, such as a document that is nested too deep for it, is kept as
    /// JSON.
    #[must_use]
    pub fn of<T: Serialize>(events: &[T]) -> Self {
        match trackside_packed::to_vec(events) {
            Ok(packed) => Self::Packed(packed),
            // Events hold JSON values and texts only: there is nothing in them that can not be written.
            Err(_) => Self::Json(serde_json::to_string(events).unwrap_or_default()),
        }
    }

    /// The events, or what a type wants to know of them.
    ///
    /// # Errors
    /// When it is damaged or says what the type does not take.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, EntryError> {
        Ok(match self {
            Self::Json(text) => serde_json::from_str(text)?,
            Self::Packed(bytes) => trackside_packed::from_slice(bytes)?,
        })
    }

    /// Its bytes on disk.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Packed(bytes) => bytes.len(),
        }
    }

    /// As a JSON text, for people and for other programs.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn to_json(&self) -> Result<String, EntryError> {
        Ok(self.read::<Value>()?.to_string())
    }

    /// Whether it may say this word, one of [`trackside_packed::WORDS`], as a member's name: a quick look that is wrong only in
    /// saying yes.
    #[must_use]
    pub fn may_have(&self, word: &str) -> bool {
        match self {
            Self::Json(text) => text.contains(&format!("\"{word}\":")),
            Self::Packed(bytes) => trackside_packed::may_have(bytes, word),
        }
    }

    /// The artifacts that it refers to, in its order and as often as it does. A damaged one refers to those before the damage.
    #[must_use]
    pub fn artifacts(&self) -> Vec<Digest> {
        match self {
            Self::Json(text) => artifacts_named(text).collect(),
            Self::Packed(bytes) => {
                let texts = trackside_packed::digests_named(bytes, "artifact");
                texts.iter().filter_map(|text| text.parse().ok()).collect()
            }
        }
    }
}

/// As a reference stands in compact JSON: `{"artifact":"sha256:…"}`. A text that a plugin made has its quotes escaped there.
const MARK: &str = "\"artifact\":\"sha256:";
/// Of a digest, in hexadecimal digits.
const DIGITS: usize = 64;

/// The artifacts that a text of JSON refers to, in its order and as often as it does.
pub fn artifacts_named(json: &str) -> impl Iterator<Item = Digest> + '_ {
    json.match_indices(MARK).filter_map(|(at, _)| {
        let end = at + MARK.len() + DIGITS;
        // Without the mark's own quotes and key: `sha256:` and the digits.
        json.get(at + MARK.len() - "sha256:".len()..end)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_found_wherever_they_stand_and_nothing_else() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let events = [
            json!({ "output": { "a": { "artifact": one, "name": "x" }, "list": [{ "artifact": two }] } }),
            json!({ "digest": Digest::of(b"3"), "artifact": "sha256:short", "message": format!("{{\"artifact\":\"{one}\"}}") }),
            json!(["artifact", Digest::of(b"4"), { "artifact": { "artifact": [Digest::of(b"5")] } }]),
        ];
        let json = Entry::Json(serde_json::to_string(&events).unwrap());
        let packed = Entry::of(&events);
        assert!(matches!(packed, Entry::Packed(_)));
        for entry in [json, packed] {
            assert_eq!(entry.artifacts(), [one, two]);
            assert_eq!(entry.read::<Vec<Value>>().unwrap(), events);
            assert_eq!(entry.to_json().unwrap(), serde_json::to_string(&events).unwrap());
        }
        assert!(Entry::Json("\"artifact\":\"sha256:é".to_owned()).artifacts().is_empty());
    }

    #[test]
    fn what_lies_too_deep_is_kept_as_json() {
        let mut deep = json!(1);
        for _ in 0..250 {
            deep = json!([deep]);
        }
        assert!(matches!(Entry::of(&[deep]), Entry::Json(text) if text.len() > 500));
    }
}
