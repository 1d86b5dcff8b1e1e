//! `emit`: an event of the box's own once the step has succeeded. Workflows with an `event` trigger start on it, and steps
//! that wait for it go on.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use trackside_sdk::{Step, StepError, Want};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    event: String,
    /// Kept as it is written.
    data: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Output {
    event: String,
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    step.emit(&input.event, &input.data)?;
    Ok(Output { event: input.event })
}

trackside_sdk::plugin! {
    name: "emit",
    summary: "Emits an event once the step has succeeded: other workflows start on it",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [],
    wants: [Want::new("emit", "", "the event in `event`")],
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
    fn an_event_goes_out_with_what_it_brings_or_with_nothing() {
        for (input, data) in [
            (json!({"event": "batch-done", "data": {"batch": 7}}), "{\"batch\":7}"),
            (json!({"event": "batch-done"}), "null"),
        ] {
            let done = TestHost::new().run::<Plugin>(input).unwrap();
            assert_eq!(done.emitted, [("batch-done".to_owned(), data.to_owned())]);
            assert_eq!(done.output(), &json!({"event": "batch-done"}));
        }
    }
}
