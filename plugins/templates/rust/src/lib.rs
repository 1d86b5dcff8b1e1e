//! Counts the lines that contain a text.

use std::io::BufRead;

use serde::{Deserialize, Serialize};
use trackside_sdk::{Outcome, Port, Step, StepError};

#[derive(Deserialize)]
struct Input {
    contains: String,
}

#[derive(Default, Serialize)]
struct Output {
    lines: u64,
    found: u64,
}

fn run(input: Input, step: &Step) -> Result<Outcome<Output>, StepError> {
    let file = step.input("file")?;
    if file.size() == 0 {
        return Ok(Outcome::skipped("the file is empty"));
    }
    let mut output = Output::default();
    for line in file.reader()?.lines() {
        output.lines += 1;
        output.found += u64::from(line?.contains(&input.contains));
    }
    trackside_sdk::info!("{}: {} lines", file.name(), output.lines);
    Ok(Outcome::Done(output))
}

trackside_sdk::plugin! {
    name: "{{name}}",
    summary: "Counts the lines that contain a text",
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [Port::new("file", "the text to look through").required()],
    deterministic: true,
    run: run,
}
