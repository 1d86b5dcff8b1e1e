//! Numbers from JSON (one, a list, lists of lists) or from a tensor artifact.

use serde_json::Value;
use trackside_sdk::{Step, StepError, tensor};

use crate::Missing;

/// The most values that are looked at.
const MAX_VALUES: usize = 4_000_000;

/// Reads all numbers in row-major order; there is at least one.
///
/// # Errors
/// `bad-input` when there is none, or something that is no number.
pub fn read(values: &Value, tensor: Option<&str>, missing: Missing, step: &Step) -> Result<Vec<f64>, StepError> {
    let mut numbers = Vec::new();
    if values.get("artifact").is_some() {
        let artifact = step.input("values")?;
        numbers = tensor::read(&artifact, tensor, MAX_VALUES as u64)?.values;
        if missing == Missing::Ignore {
            numbers.retain(|number| !number.is_nan());
        } else if let Some(at) = numbers.iter().position(|number| number.is_nan()) {
            return Err(bad(format!("element {at} of the tensor is not a number; `missing: ignore` passes over it")));
        }
    } else {
        collect(values, missing, &mut numbers)?;
    }
    if numbers.is_empty() { Err(bad("there is no value to judge".into())) } else { Ok(numbers) }
}

/// Depth is bounded by the JSON parser (128 levels).
fn collect(value: &Value, missing: Missing, into: &mut Vec<f64>) -> Result<(), StepError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, missing, into)),
        Value::Number(number) if into.len() < MAX_VALUES => {
            into.extend(number.as_f64());
            Ok(())
        }
        Value::Number(_) => Err(bad(format!("more than {MAX_VALUES} values"))),
        Value::Null if missing == Missing::Ignore => Ok(()),
        Value::Null => Err(bad("a value is missing; `missing: ignore` passes over it".into())),
        _ => Err(bad("holds something that is no number".into())),
    }
}

fn bad(why: String) -> StepError {
    StepError::fatal("bad-input", format!("values: {why}"))
}
