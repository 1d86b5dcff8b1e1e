//! `deliver-file`: an artifact, or text or JSON from the workflow, becomes a file in a granted folder once the step has
//! succeeded. The host writes it by temporary file, fsync and rename.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use trackside_sdk::{ArtifactRef, IfPresent, Port, Step, StepError, Want};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    to: String,
    file: Option<ArtifactRef>,
    text: Option<String>,
    /// A null that is written is a document too.
    #[serde(default, deserialize_with = "present")]
    json: Option<Value>,
    media_type: Option<String>,
    #[serde(default)]
    if_present: Present,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Present {
    Refuse,
    Keep,
    Replace,
    #[default]
    Number,
}

#[derive(Serialize)]
struct Output {
    path: String,
    size: u64,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    let name = file_name(&input.to)?;
    let inline = |content: &[u8], media_type: &str| {
        let media_type = input.media_type.as_deref().unwrap_or(media_type);
        step.create_with("written", name, media_type, content)
    };
    let artifact = match (&input.file, &input.text, &input.json) {
        (Some(_), None, None) => step.input("file")?,
        (None, Some(text), None) => inline(text.as_bytes(), "text/plain; charset=utf-8")?,
        (None, None, Some(json)) => {
            let mut text = serde_json::to_vec_pretty(json)?;
            text.push(b'\n');
            inline(&text, "application/json")?
        }
        _ => return Err(StepError::fatal("bad-input", "give one of `file`, `text` and `json`")),
    };
    let present = match input.if_present {
        Present::Refuse => IfPresent::Refuse,
        Present::Keep => IfPresent::Keep,
        Present::Replace => IfPresent::Replace,
        Present::Number => IfPresent::Number,
    };
    step.deliver(&artifact, &input.to, present)?;
    Ok(Output { path: input.to.clone(), size: artifact.size() })
}

/// The last part of the path. The host checks the whole of it; this only tells slips apart early.
fn file_name(to: &str) -> Result<&str, StepError> {
    match to.rsplit_once('/') {
        Some((folder, name)) if !folder.is_empty() && !name.is_empty() => Ok(name),
        _ => Err(StepError::fatal(
            "bad-input",
            format!("to: {to:?} is not FOLDER/NAME: name a granted folder and a file"),
        )),
    }
}

trackside_sdk::plugin! {
    name: "deliver-file",
    summary: "Writes a file into a granted folder once the step has succeeded",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [Port::new("file", "The file to deliver, instead of `text` or `json`")],
    outputs: [Port::new("written", "The file that was made from `text` or `json`")],
    wants: [Want::new("deliver", "", "the folder that `to` starts with")],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trackside_sdk::testing::{TestHost, description_problems};

    use super::*;

    #[test]
    fn it_is_well_described() {
        assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
    }

    #[test]
    fn an_artifact_is_delivered_as_it_is() {
        let mut host = TestHost::new().artifact("file", "a.csv", "text/csv", "1,2\n");
        let done = host.run::<Plugin>(json!({"to": "done/b.csv", "if_present": "refuse"})).unwrap();
        assert_eq!(done.output(), &json!({"path": "done/b.csv", "size": 4}));
        assert_eq!(done.delivered[0].path, "done/b.csv");
        assert_eq!(done.delivered[0].present, IfPresent::Refuse);
        assert_eq!(done.delivered[0].content.bytes, b"1,2\n");
        assert!(done.artifact("written").is_none());
    }

    #[test]
    fn text_and_json_become_files() {
        let done = TestHost::new().run::<Plugin>(json!({"to": "out/a.txt", "text": "hi"})).unwrap();
        assert_eq!(done.delivered[0].content.bytes, b"hi");
        assert_eq!(done.delivered[0].present, IfPresent::Number);
        let done = TestHost::new().run::<Plugin>(json!({"to": "out/x/a.json", "json": {"a": null}})).unwrap();
        assert_eq!(done.delivered[0].content.bytes, b"{\n  \"a\": null\n}\n");
        assert_eq!(done.artifact("written").unwrap().media_type, "application/json");
        let done = TestHost::new().run::<Plugin>(json!({"to": "out/n.json", "json": null})).unwrap();
        assert_eq!(done.delivered[0].content.bytes, b"null\n");
    }

    #[test]
    fn slips_are_told() {
        for (input, part) in [
            (json!({"to": "out/a", "text": "x", "json": 1}), "one of"),
            (json!({"to": "out/a"}), "one of"),
            (json!({"to": "a.txt", "text": "x"}), "FOLDER/NAME"),
            (json!({"to": "out/", "text": "x"}), "FOLDER/NAME"),
            (json!({"to": "out/../a", "text": "x"}), "not a path"),
        ] {
            let error = TestHost::new().run::<Plugin>(input).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
