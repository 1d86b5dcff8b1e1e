//! What an outbox row holds: one effect that is carried out after the commit of its step.
//!
//! Rows outlive versions of the program. What an effect is stands in its `effect`; rows of before have none, and are told
//! apart by their fields. A further kind is a further variant.

use serde::{Deserialize, Serialize};
use trackside_spec::ArtifactRef;

use crate::BoxEvent;

/// One effect, and an outbox row's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "lowercase")]
pub enum Effect {
    /// A message for a broker.
    Publish(OutgoingMessage),
    /// A file for a folder.
    Deliver(Delivery),
    /// An event of the box's own.
    Emit(BoxEvent),
}

/// A message for a broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutgoingMessage {
    /// The broker's name in the config.
    pub broker: String,
    /// Where it is published.
    pub topic: String,
    /// Its bytes, base64.
    pub payload: String,
    /// User properties, for brokers that speak MQTT 5.
    pub attributes: Vec<(String, String)>,
    /// The same for every repeat of this message.
    pub key: String,
}

/// A file for a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// What.
    pub artifact: ArtifactRef,
    /// The granted folder, as the workflow names it.
    pub folder: String,
    /// Below the folder, with `/`.
    pub path: String,
    /// What to do when something lies there already.
    pub present: Present,
}

/// What to do when a file lies at the target already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Present {
    /// Leave it and report a refusal.
    Refuse,
    /// Leave it and call that done.
    Keep,
    /// Overwrite it.
    Replace,
    /// Deliver beside it as `name-1.ext`, `name-2.ext`, …
    Number,
}

/// Why a row's body can not be read.
#[derive(Debug, thiserror::Error)]
pub enum EffectError {
    /// It was written by a later version of the program.
    #[error("this version of trackside knows no effect `{0}`")]
    Unknown(String),
    /// It is none.
    #[error("damaged outbox entry: {0}")]
    Damaged(#[source] serde_json::Error),
}

/// A body without `effect`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Untagged {
    Publish(OutgoingMessage),
    Deliver(Delivery),
}

impl Effect {
    /// The kinds that this version knows.
    const KINDS: [&str; 3] = ["publish", "deliver", "emit"];

    /// The row's body.
    #[must_use]
    pub fn body(&self) -> String {
        // Made of strings and numbers: nothing in it can not be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a row's body.
    ///
    /// # Errors
    /// [`EffectError`], for a row that is of a later version of the program, or damaged.
    pub fn read(body: &str) -> Result<Self, EffectError> {
        let document: serde_json::Value = serde_json::from_str(body).map_err(EffectError::Damaged)?;
        match document.get("effect") {
            Some(serde_json::Value::String(kind)) if !Self::KINDS.contains(&kind.as_str()) => {
                Err(EffectError::Unknown(kind.clone()))
            }
            Some(_) => serde_json::from_value(document).map_err(EffectError::Damaged),
            None => match serde_json::from_value(document).map_err(EffectError::Damaged)? {
                Untagged::Publish(message) => Ok(Self::Publish(message)),
                Untagged::Deliver(delivery) => Ok(Self::Deliver(delivery)),
            },
        }
    }
}

impl Delivery {
    /// The target as people read it.
    #[must_use]
    pub fn target(&self) -> String {
        format!("{}/{}", self.folder.trim_end_matches('/'), self.path)
    }
}

#[cfg(test)]
mod tests {
    use trackside_spec::Digest;

    use super::*;

    /// Bodies as they were written, without the tag and with it.
    const MESSAGE: [&str; 2] = [
        r#"{"broker":"plant","topic":"site/alarm","payload":"aGk=","attributes":[["line","2"]],"key":"k"}"#,
        r#"{"effect":"publish","broker":"plant","topic":"site/alarm","payload":"aGk=","attributes":[["line","2"]],"key":"k"}"#,
    ];
    const DELIVERY: [&str; 2] = [
        r#"{"artifact":{"artifact":"sha256:0707070707070707070707070707070707070707070707070707070707070707","name":"r.txt","media_type":"text/plain","size":2},"folder":"out/","path":"a/r.txt","present":"keep"}"#,
        r#"{"effect":"deliver","artifact":{"artifact":"sha256:0707070707070707070707070707070707070707070707070707070707070707","name":"r.txt","media_type":"text/plain","size":2},"folder":"out/","path":"a/r.txt","present":"keep"}"#,
    ];

    fn message() -> OutgoingMessage {
        OutgoingMessage {
            broker: "plant".into(),
            topic: "site/alarm".into(),
            payload: "aGk=".into(),
            attributes: vec![("line".to_owned(), "2".to_owned())],
            key: "k".into(),
        }
    }

    fn delivery() -> Delivery {
        let artifact = ArtifactRef {
            digest: Digest::from_bytes([7; 32]),
            size: 2,
            name: "r.txt".into(),
            media_type: "text/plain".into(),
        };
        Delivery { artifact, folder: "out/".into(), path: "a/r.txt".into(), present: Present::Keep }
    }

    #[test]
    fn rows_of_this_version_and_of_the_ones_before_are_read() {
        for (effect, stored) in [(Effect::Publish(message()), MESSAGE), (Effect::Deliver(delivery()), DELIVERY)] {
            assert_eq!(effect.body(), stored[1]);
            for body in stored {
                assert_eq!(Effect::read(body).unwrap(), effect);
            }
        }
        assert_eq!(delivery().target(), "out/a/r.txt");
        let present = [Present::Refuse, Present::Keep, Present::Replace, Present::Number];
        let words = present.map(|present| serde_json::to_string(&present).unwrap());
        assert_eq!(words, ["\"refuse\"", "\"keep\"", "\"replace\"", "\"number\""]);
    }

    #[test]
    fn an_effect_that_is_not_known_is_never_taken_for_another_whose_fields_fit() {
        let later = MESSAGE[1].replace("publish", "notify");
        let error = Effect::read(&later).unwrap_err();
        assert!(matches!(&error, EffectError::Unknown(kind) if kind == "notify"), "{error}");
        assert_eq!(error.to_string(), "this version of trackside knows no effect `notify`");
        for body in [
            MESSAGE[1].replace("publish", "deliver"),
            MESSAGE[1].replace("\"publish\"", "null"),
            DELIVERY[1].replace("\"deliver\"", "\"publish\""),
            "{}".to_owned(),
            "[]".to_owned(),
            String::new(),
        ] {
            assert!(matches!(Effect::read(&body), Err(EffectError::Damaged(_))), "{body}");
        }
    }
}
