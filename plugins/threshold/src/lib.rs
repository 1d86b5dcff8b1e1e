//! `threshold`: decides whether a value, or a list of them, is out of bounds.
//!
//! [`values`] reads numbers from wherever they come, [`bounds`] judges them, [`memory`] keeps what hysteresis and
//! `for` need between runs.

mod bounds;
mod memory;
mod values;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_rows::json::number;
use trackside_sdk::{Port, Step, StepError, Want};

use crate::{
    bounds::{Aggregate, Bounds},
    memory::Memory,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    values: Value,
    tensor: Option<String>,
    above: Option<f64>,
    below: Option<f64>,
    clear_above: Option<f64>,
    clear_below: Option<f64>,
    #[serde(default)]
    aggregate: Aggregate,
    #[serde(default)]
    fraction: f64,
    #[serde(default, rename = "for")]
    consecutive: Option<u32>,
    #[serde(default = "key")]
    key: String,
    #[serde(default)]
    missing: Missing,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Missing {
    #[default]
    Fail,
    Ignore,
}

#[derive(Serialize)]
struct Output {
    breach: bool,
    changed: bool,
    value: Value,
    worst: Value,
    worst_index: u64,
    out_of_bounds: u64,
    count: u64,
    consecutive: u32,
}

fn key() -> String {
    "threshold".into()
}

fn run(input: Input, step: &Step) -> Result<Output, StepError> {
    let bounds = Bounds::new(&input)?;
    let values = values::read(&input.values, input.tensor.as_deref(), input.missing, step)?;
    let needed = input.consecutive.unwrap_or(1).max(1);
    let remembers = needed > 1 || bounds.has_hysteresis();
    let state = step.state();
    let mut memory: Memory = if remembers { state.get(&input.key)?.unwrap_or_default() } else { Memory::default() };

    let verdict = bounds.judge(&values, memory.breach);
    let before = memory.breach;
    memory.note(verdict.out, needed);
    if remembers {
        state.set(&input.key, &memory)?;
    }
    Ok(Output {
        breach: memory.breach,
        changed: memory.breach != before,
        value: number(verdict.value),
        worst: number(verdict.worst),
        worst_index: verdict.worst_index,
        out_of_bounds: verdict.out_of_bounds,
        count: values.len() as u64,
        consecutive: memory.consecutive,
    })
}

trackside_sdk::plugin! {
    name: "threshold",
    summary: "Decides whether a value or a list of values is out of bounds",
    docs: include_str!("../README.md"),
    input_schema: include_str!("../input.schema.json"),
    output_schema: include_str!("../output.schema.json"),
    inputs: [Port::new("values", "A tensor of numbers, instead of JSON").media_type(trackside_sdk::tensor::MEDIA_TYPE)],
    wants: [Want::new("state", "", "`for` above 1 and hysteresis look back at earlier runs").optional()],
    deterministic: true,
    run: run,
}

#[cfg(test)]
mod tests;
