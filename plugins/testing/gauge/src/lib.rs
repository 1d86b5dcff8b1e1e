//! `gauge`: one thing, often, and a count of the calls. See README.md for its modes.

use std::{
    io::{Read, Write},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use serde::Deserialize;
use serde_json::{Value, json};
use trackside_sdk::{
    Port, Step, StepError, Want,
    http::Request,
    model::{ElementType, Tensor},
    telemetry,
};

#[derive(Deserialize)]
struct Input {
    /// What to do.
    #[serde(default)]
    mode: Option<String>,
    /// How often or how much.
    #[serde(default)]
    n: u64,
    /// Where the mode `send` goes.
    #[serde(default)]
    target: Option<String>,
}

/// Calls of this instance.
static CALLS: AtomicU32 = AtomicU32::new(0);
/// Looked at by the first call that asks for the time.
static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);

fn run(input: Input, step: &Step) -> Result<Value, StepError> {
    let mut output = json!({ "calls": CALLS.fetch_add(1, Ordering::Relaxed) + 1 });
    let size = usize::try_from(input.n).unwrap_or(usize::MAX);
    match input.mode.as_deref().unwrap_or("empty") {
        "empty" => {}
        "log" => (0..input.n).for_each(|_| trackside_sdk::info!("twenty bytes of text")),
        "read" => {
            std::io::copy(&mut step.input("in")?.reader()?, &mut std::io::sink())?;
        }
        "write" => {
            let mut writer = step.create("out", "out.bin", "application/octet-stream")?;
            std::io::copy(&mut std::io::repeat(b'x').take(input.n), &mut writer)?;
            writer.commit()?;
        }
        "splice" => {
            let mut writer = step.create("out", "out.bin", "application/octet-stream")?;
            writer.splice(&step.input("in")?, 0, None)?;
            writer.commit()?;
        }
        "send" => {
            let target = input.target.ok_or_else(|| StepError::fatal("bad-input", "the mode `send` needs a target"))?;
            output["status"] = Request::post(target).send_artifact(&step.input("in")?)?.status().into();
        }
        "tensor" => {
            let count = u32::try_from(input.n).unwrap_or(u32::MAX);
            Tensor::from_artifact(ElementType::Float32, &[count], &step.input("in")?, 0)?;
        }
        "print" => {
            println!("to standard output");
            eprintln!("to standard error");
            std::io::stdout().flush()?;
        }
        "keep" => std::mem::forget(vec![1u8; size]),
        "leak" => std::mem::forget(telemetry::Span::start("leaked", &[])),
        "fail" => return Err(StepError::fatal("as-asked", "gauge was asked to fail")),
        "trap" => trap(),
        "time" => output["ns"] = u64::try_from(FIRST.elapsed().as_nanos()).unwrap_or(u64::MAX).into(),
        mode => return Err(StepError::fatal("bad-input", format!("there is no mode `{mode}`"))),
    }
    Ok(output)
}

#[cfg(target_arch = "wasm32")]
fn trap() {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() {
    std::process::abort()
}

trackside_sdk::plugin! {
    name: "gauge",
    summary: "Does one thing often and counts its calls",
    docs: include_str!("../README.md"),
    input_schema: r#"{"type":"object"}"#,
    output_schema: r#"{"type":"object"}"#,
    inputs: [Port::new("in", "Read by `read`, `splice`, `send` and `tensor`")],
    outputs: [Port::new("out", "Written by `write` and `splice`")],
    wants: [
        Want::new("http", "", "the mode `send`").optional(),
        Want::new("secrets", "", "the tests of `reuse`").optional(),
        Want::new("state", "", "the tests of `reuse`").optional(),
    ],
    deterministic: false,
    run: run,
}

#[cfg(test)]
mod tests {
    use trackside_sdk::testing::{TestHost, description_problems};

    use super::*;

    #[test]
    fn it_is_well_described() {
        assert_eq!(description_problems::<Plugin>(), Vec::<String>::new());
    }

    #[test]
    fn calls_are_counted_also_those_that_fail() {
        let before = CALLS.load(Ordering::Relaxed);
        assert_eq!(TestHost::new().run::<Plugin>(json!({"mode": "fail"})).unwrap_err().code(), "as-asked");
        let done = TestHost::new().run::<Plugin>(json!({})).unwrap();
        assert_eq!(done.output()["calls"], before + 2);
    }
}
