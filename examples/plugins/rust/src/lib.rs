//! Counts lines, and keeps those that contain a text.

use std::{
    io::{BufRead, Write},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use trackside_sdk::{Outcome, Port, Step, StepError, Want};

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Fail {
    Fatal,
    Retryable,
}

#[derive(Deserialize)]
struct Input {
    #[serde(default)]
    pattern: String,
    fail: Option<Fail>,
}

#[derive(Default, Serialize)]
struct Output {
    lines: u64,
    bytes: u64,
    matches: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

fn run(input: Input, step: &Step) -> Result<Outcome<Output>, StepError> {
    match input.fail {
        Some(Fail::Retryable) => {
            let error = StepError::retryable("as-asked", "failing as asked");
            return Err(error.retry_after(Duration::from_millis(1500)));
        }
        Some(Fail::Fatal) => return Err(StepError::fatal("as-asked", "failing as asked")),
        None => {}
    }

    let file = step.input("file")?;
    if file.size() == 0 {
        return Ok(Outcome::skipped("the file is empty"));
    }
    let mut output = Output { bytes: file.size(), ..Output::default() };
    let (mut reader, mut line, mut matching) = (file.reader()?, Vec::new(), None);
    while reader.read_until(b'\n', &mut line)? > 0 {
        output.lines += 1;
        if contains(&line, input.pattern.as_bytes()) {
            output.matches += 1;
            let writer = match &mut matching {
                Some(writer) => writer,
                None => matching.insert(step.create("matching", "matches.txt", "text/plain")?),
            };
            writer.write_all(line.strip_suffix(b"\n").unwrap_or(&line))?;
            writer.write_all(b"\n")?;
        }
        line.clear();
    }
    if let Some(writer) = matching {
        writer.commit()?;
    }

    output.total = match step.state().update("total", |total: &mut u64| {
        *total += output.lines;
        Ok(*total)
    }) {
        Ok(total) => Some(total),
        Err(error) if error.code() == "denied" => None,
        Err(error) => return Err(error),
    };
    trackside_sdk::info!("{}: {} lines, {} with the pattern", file.name(), output.lines, output.matches);
    Ok(Outcome::Done(output))
}

/// Whether the pattern is in the line; the empty pattern is in none.
fn contains(line: &[u8], pattern: &[u8]) -> bool {
    !pattern.is_empty() && line.windows(pattern.len()).any(|window| window == pattern)
}

trackside_sdk::plugin! {
    name: "line-stats-rust",
    summary: "Counts lines, and keeps those that contain a text",
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [Port::new("file", "the text to count").required()],
    outputs: [Port::new("matching", "the lines that contain the pattern").media_type("text/plain")],
    wants: [Want::new("state", "", "a total over all runs").optional()],
    deterministic: false,
    run: run,
}

#[cfg(test)]
mod tests {
    use trackside_sdk::testing::TestHost;

    use super::Plugin;

    #[test]
    fn lines_with_the_pattern_are_counted_and_kept() {
        let mut host = TestHost::new().artifact("file", "a.log", "text/plain", "an error\nfine\nerror\n");
        let input = serde_json::json!({ "pattern": "error" });
        let done = host.run::<Plugin>(input).expect("the step succeeds");
        assert_eq!(done.output(), &serde_json::json!({ "lines": 3, "bytes": 20, "matches": 2 }));
        assert_eq!(done.text("matching"), "an error\nerror\n");
    }
}
