//! `echo`: the smallest step that does anything. The benches measure it, so it parses nothing that it need not.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trackside_sdk::{Step, StepError};

#[derive(Deserialize, Serialize)]
struct Message {
    /// Kept as text: it goes out as it came in.
    value: Box<RawValue>,
}

fn run(input: Message, _step: &Step) -> Result<Message, StepError> {
    Ok(input)
}

const SCHEMA: &str = r#"{"type":"object","properties":{"value":{"description":"anything"}},"required":["value"]}"#;

trackside_sdk::plugin! {
    name: "echo",
    summary: "Returns its input's value",
    docs: include_str!("../README.md"),
    input_schema: SCHEMA,
    output_schema: SCHEMA,
    deterministic: true,
    run: run,
}
