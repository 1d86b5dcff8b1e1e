//! `publish`: a message on one of the node's brokers once the step has succeeded. The host keeps it in the outbox until
//! the broker has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use trackside_sdk::{ArtifactRef, Port, Step, StepError, Want};

/// The largest message that is read from a file.
const MAX_MESSAGE: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    broker: String,
    topic: String,
    text: Option<String>,
    /// Kept as it is written. A null that is written is a message too.
    #[serde(default, deserialize_with = "present")]
    json: Option<Box<RawValue>>,
    file: Option<ArtifactRef>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Output {
    topic: String,
    size: u64,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    let payload = match (input.text, input.json, &input.file) {
        (Some(text), None, None) => text.into_bytes(),
        (None, Some(json), None) => json.get().as_bytes().to_vec(),
        (None, None, Some(_)) => step.input("file")?.bytes(MAX_MESSAGE)?,
        (None, None, None) => Vec::new(),
        _ => return Err(StepError::fatal("bad-input", "give one of `text`, `json` and `file`")),
    };
    let attributes: Vec<(String, String)> = input.attributes.into_iter().collect();
    step.publish_with(&input.broker, &input.topic, &payload, &attributes)?;
    Ok(Output { topic: input.topic, size: payload.len() as u64 })
}

trackside_sdk::plugin! {
    name: "publish",
    summary: "Publishes a message on an MQTT broker once the step has succeeded",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [Port::new("file", "The message, instead of `text` or `json`")],
    wants: [Want::new("publish", "", "the topic in `topic`")],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use trackside_sdk::testing::{TestHost, description_problems};

    use super::*;

    #[test]
    fn it_is_well_described() {
        assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
    }

    #[test]
    fn text_json_and_files_become_messages() {
        for (more, payload) in [
            (json!({"text": "hot"}), "hot"),
            (json!({"json": {"v": 1.5}}), "{\"v\":1.5}"),
            (json!({"json": null}), "null"),
            (json!({}), ""),
        ] {
            let mut input = json!({"broker": "plant", "topic": "site/7", "attributes": {"a": "b"}});
            if let (Value::Object(input), Value::Object(more)) = (&mut input, more) {
                input.extend(more);
            }
            let done = TestHost::new().run::<Plugin>(input).unwrap();
            let sent = &done.published[0];
            assert_eq!((sent.channel.as_str(), sent.topic.as_str()), ("plant", "site/7"));
            assert_eq!((sent.payload.as_slice(), sent.attributes.len()), (payload.as_bytes(), 1));
            assert_eq!(done.output(), &json!({"topic": "site/7", "size": payload.len()}));
        }
        let mut host = TestHost::new().artifact("file", "a.bin", "application/octet-stream", [0, 255]);
        let done = host.run::<Plugin>(json!({"broker": "plant", "topic": "t"})).unwrap();
        assert_eq!(done.published[0].payload, [0, 255]);
    }

    #[test]
    fn two_messages_at_once_are_refused() {
        let input = json!({"broker": "b", "topic": "t", "text": "a", "json": 1});
        assert_eq!(TestHost::new().run::<Plugin>(input).unwrap_err().code(), "bad-input");
    }
}
