//! `misbehave`: a guest that breaks every rule on request. See README.md for its modes.

mod modes;
mod secrets;

use serde::Deserialize;
use serde_json::json;
use trackside_sdk::{Descriptor, Outcome, Plugin, Port, Step, StepError, Want};

#[derive(Deserialize)]
struct Input {
    /// What to do.
    mode: String,
    /// How often or how much.
    #[serde(default)]
    n: u64,
    /// Where the modes `http`, `deliver` and `publish` go.
    #[serde(default)]
    target: Option<String>,
    /// The secret of the modes that begin with `secret`.
    #[serde(default)]
    secret: Option<String>,
}

/// Implemented by hand: `plugin!` would not let rubbish out.
pub struct Misbehave;

impl Plugin for Misbehave {
    fn describe() -> Descriptor {
        Descriptor {
            name: "misbehave".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: "Does on purpose what a plugin must not do".into(),
            docs_markdown: include_str!("../README.md").into(),
            input_schema: json!({
                "type": "object",
                "properties": {
                    "mode": {"type": "string"},
                    "n": {"type": "integer", "minimum": 0},
                    "target": {"type": "string"},
                    "secret": {"type": "string"},
                },
                "required": ["mode"],
            })
            .to_string(),
            output_schema: r#"{"type":"object"}"#.into(),
            inputs: vec![Port::new("in", "Read by the mode `read`")],
            outputs: vec![
                Port::new("out", "Written by the `write` modes"),
                Port::new("many", "Written by the mode `write-many`").many(),
            ],
            wants: vec![
                Want::new("http", "", "the mode `http`").optional(),
                Want::new("secrets", "", "the modes that begin with `secret`").optional(),
                Want::new("env", "", "the mode `env`").optional(),
                Want::new("publish", "", "the mode `publish`").optional(),
                Want::new("clock", "", "the mode `clock`").optional(),
                Want::new("random", "", "the mode `clock`").optional(),
                Want::new("models", "", "the mode `model`").optional(),
                Want::new("state", "", "the modes `state`, `count` and `set-then-fail`").optional(),
                Want::new("deliver", "", "the modes `deliver` and `deliver-then-fail`").optional(),
            ],
            deterministic: false,
        }
    }

    fn run() -> Result<Outcome<String>, StepError> {
        // `call` reads the input and makes the `Step`; what it returns as JSON is replaced where a mode asks for it.
        let mut raw = None;
        let outcome = trackside_sdk::plugin::call(|input: Input, step: &Step| {
            if input.mode.starts_with("secret") {
                let target = input.target.as_deref().unwrap_or("https://ungranted.example.org/");
                return secrets::run(&input.mode, input.secret.as_deref().unwrap_or("pw"), target, step);
            }
            modes::run(&input.mode, input.n, input.target.as_deref(), step, &mut raw)
        })?;
        Ok(raw.map_or(outcome, Outcome::Done))
    }
}

trackside_sdk::export_plugin!(Misbehave);

#[cfg(test)]
mod tests {
    use trackside_sdk::testing::{TestHost, description_problems};

    use super::*;

    #[test]
    fn it_is_well_described() {
        assert_eq!(description_problems::<Misbehave>(), Vec::<String>::new());
    }

    #[test]
    fn modes_that_end_name_themselves() {
        let done = TestHost::new().run::<Misbehave>(json!({"mode": "succeed"})).unwrap();
        assert_eq!(done.output(), &json!({"mode": "succeed"}));
        let mut host = TestHost::new().with_state();
        host.run::<Misbehave>(json!({"mode": "count"})).unwrap();
        assert_eq!(host.run::<Misbehave>(json!({"mode": "set-then-fail"})).unwrap_err().code(), "as-asked");
        let done = host.run::<Misbehave>(json!({"mode": "count"})).unwrap();
        assert_eq!(done.output()["count"], 2);
    }

    #[test]
    fn a_mode_that_does_not_exist_is_an_error() {
        assert_eq!(TestHost::new().run::<Misbehave>(json!({"mode": "good"})).unwrap_err().code(), "bad-input");
    }

    #[test]
    fn flaky_succeeds_at_the_attempt_asked_for() {
        let ask = json!({"mode": "flaky", "n": 3});
        assert!(TestHost::new().attempt(2).run::<Misbehave>(ask.clone()).unwrap_err().is_retryable());
        assert!(TestHost::new().attempt(3).run::<Misbehave>(ask).is_ok());
    }
}
