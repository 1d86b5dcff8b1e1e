//! What an outbox row holds: one effect that is carried out after the commit of its step.
//!
//! Rows outlive versions of the program. What an effect is stands in its `effect`; rows of before have none, and are told
//! apart by their fields.

use serde::{Deserialize, Serialize};

use crate::{deliver::Delivery, mqtt::Message};

/// An outbox row's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "lowercase")]
pub(crate) enum Effect {
    /// A message for a broker.
    Publish(Message),
    /// A file for a folder.
    Deliver(Delivery),
}

/// A body without `effect`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Untagged {
    Publish(Message),
    Deliver(Delivery),
}

impl Effect {
    /// The row's body.
    pub(crate) fn body(&self) -> String {
        // Made of strings and numbers: nothing in it can not be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a row's body.
    ///
    /// # Errors
    /// The parser's, for a row that is damaged or of a later version of the program.
    pub(crate) fn read(body: &str) -> Result<Self, serde_json::Error> {
        let document: serde_json::Value = serde_json::from_str(body)?;
        if document.get("effect").is_some() {
            return serde_json::from_value(document);
        }
        Ok(match serde_json::from_value(document)? {
            Untagged::Publish(message) => Self::Publish(message),
            Untagged::Deliver(delivery) => Self::Deliver(delivery),
        })
    }
}

#[cfg(test)]
mod tests {
    use trackside_spec::{ArtifactRef, Digest};

    use super::*;
    use crate::deliver::Present;

    /// A body as it was written, without the tag and with it.
    const MESSAGE: [&str; 2] = [
        r#"{"broker":"plant","topic":"site/alarm","payload":"aGk=","attributes":[["line","2"]],"key":"k"}"#,
        r#"{"effect":"publish","broker":"plant","topic":"site/alarm","payload":"aGk=","attributes":[["line","2"]],"key":"k"}"#,
    ];

    fn delivery() -> Effect {
        let artifact = ArtifactRef {
            digest: Digest::from_bytes([7; 32]),
            size: 2,
            name: "r.txt".into(),
            media_type: "text/plain".into(),
        };
        Effect::Deliver(Delivery { artifact, folder: "out".into(), path: "a/r.txt".into(), present: Present::Keep })
    }

    #[test]
    fn rows_of_this_version_and_of_the_ones_before_are_read() {
        let attributes = vec![("line".to_owned(), "2".to_owned())];
        let message = Message {
            broker: "plant".into(),
            topic: "site/alarm".into(),
            payload: "aGk=".into(),
            attributes,
            key: "k".into(),
        };
        let message = Effect::Publish(message);
        assert_eq!(message.body(), MESSAGE[1]);
        for body in MESSAGE {
            assert_eq!(Effect::read(body).unwrap(), message);
        }
        let body = delivery().body();
        assert_eq!(Effect::read(&body).unwrap(), delivery());
        let before = body.replace(r#""effect":"deliver","#, "");
        assert!(before.len() < body.len());
        assert_eq!(Effect::read(&before).unwrap(), delivery());
    }

    #[test]
    fn an_effect_that_is_not_known_is_never_taken_for_another_whose_fields_fit() {
        for body in [
            MESSAGE[1].replace("publish", "notify"),
            MESSAGE[1].replace("publish", "deliver"),
            MESSAGE[1].replace("\"publish\"", "null"),
            delivery().body().replace("\"deliver\"", "\"publish\""),
            "{}".to_owned(),
            "[]".to_owned(),
            String::new(),
        ] {
            assert!(Effect::read(&body).is_err(), "{body}");
        }
    }
}
