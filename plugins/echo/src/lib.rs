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
    fn the_value_comes_back() {
        let value = json!({"value": {"b": [1.50, null], "a": "x"}});
        assert_eq!(TestHost::new().run::<Plugin>(value.clone()).unwrap().output(), &value);
        assert_eq!(TestHost::new().run::<Plugin>(json!({})).unwrap_err().code(), "bad-input");
    }
}
