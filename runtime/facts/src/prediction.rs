//! What a model said, and whether that was right.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest text of an answer or of a truth, bytes.
pub const LONGEST_LABEL: usize = 200;

/// Why a truth can not be held against a prediction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

impl Misfit {
    fn of(words: &str) -> Self {
        Self(words.to_owned())
    }
}

/// What a model said of one row.
///
/// The JSON form is stored: add optional fields, never change or remove one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    /// A class, by its place.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
    /// Its name, or an answer that is a text or a whole number.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// A number.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// How sure the model was, between 0 and 1.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
}

impl Predicted {
    /// Whether this is the truth; a number within `tolerance` of it. Nothing where the truth is not known (`null`).
    ///
    /// # Errors
    /// When the two can not be held against each other.
    pub fn is_right(&self, truth: &Value, tolerance: f64) -> Result<Option<bool>, Misfit> {
        if truth.is_null() {
            return Ok(None);
        }
        if let Some(value) = self.value {
            let truth = truth.as_f64().filter(|truth| truth.is_finite());
            let truth = truth.ok_or_else(|| Misfit::of("the model gives a number, and the truth must be one, too"))?;
            return Ok(Some((value - truth).abs() <= tolerance));
        }
        let said = text(truth).ok_or_else(|| Misfit::of("the truth must be a text, a number, true or false"))?;
        let Some(class) = self.class else { return Ok(Some(self.label.as_deref() == Some(said.as_str()))) };
        if self.label.as_deref() == Some(said.as_str()) {
            return Ok(Some(true));
        }
        match (truth.is_string(), said.parse::<u32>(), &self.label) {
            (false, Ok(number), _) | (true, Ok(number), None) => Ok(Some(number == class)),
            (true, _, Some(_)) => Ok(Some(false)),
            (true, Err(_), None) => Err(Misfit::of(
                "the classes of this model have no names: the truth is a class's number, counted from 0",
            )),
            (false, Err(_), _) => Err(Misfit::of("a class has a name, or a number counted from 0")),
        }
    }
}

/// Answers that were not recorded, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Passed {
    /// The request had no id.
    pub without_id: u64,
    /// The request's id was too long, or no plain text.
    pub bad_id: u64,
    /// There were more than are kept of a second.
    pub rate: u64,
    /// The output was not there, or not what the settings say.
    pub unreadable: u64,
    /// They could not be written as fast as they came.
    pub full: u64,
}

impl Passed {
    /// With those of another time.
    pub fn add(&mut self, more: &Self) {
        for (sum, more) in [
            (&mut self.without_id, more.without_id),
            (&mut self.bad_id, more.bad_id),
            (&mut self.rate, more.rate),
            (&mut self.unreadable, more.unreadable),
            (&mut self.full, more.full),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// As it is kept.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Numbers alone: nothing in it can not be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What was kept; of a damaged one, nothing.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// A truth as a text, the same for `3` and `"3"`, for `true` and `"true"`.
fn text(truth: &Value) -> Option<String> {
    match truth {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(match number.as_f64() {
            // Where a number is whole, how it is written makes no other label of it.
            #[expect(clippy::cast_possible_truncation, reason = "whole, and within bounds")]
            Some(whole) if number.is_f64() && whole.fract() == 0.0 && whole.abs() < 1e15 => (whole as i64).to_string(),
            _ => number.to_string(),
        }),
        Value::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}

/// The truth of each row: of one row the value itself, of several a list of as many.
///
/// # Errors
/// When it is of another number of rows, or its texts are too long.
pub fn truths(of: &Value, rows: usize) -> Result<Vec<Value>, Misfit> {
    let truths: Vec<Value> = match of {
        Value::Array(list) if list.len() == rows => list.clone(),
        Value::Array(list) => {
            return Err(Misfit(format!("the prediction has {rows} rows, and the truth is a list of {}", list.len())));
        }
        one if rows == 1 => vec![one.clone()],
        _ => {
            return Err(Misfit(format!(
                "the prediction has {rows} rows: the truth is a list of as many, `null` where it is not known"
            )));
        }
    };
    Ok(truths)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn class(class: u32, label: Option<&str>) -> Predicted {
        Predicted { class: Some(class), label: label.map(str::to_owned), ..Predicted::default() }
    }

    #[test]
    fn a_truth_is_held_against_what_was_said() {
        let label = |text: &str| Predicted { label: Some(text.to_owned()), ..Predicted::default() };
        let value = |value: f64| Predicted { value: Some(value), ..Predicted::default() };
        for (said, truth, right) in [
            (class(3, None), json!(3), Ok(Some(true))),
            (class(3, None), json!("3"), Ok(Some(true))),
            (class(3, None), json!(3.0), Ok(Some(true))),
            (class(3, None), json!(2), Ok(Some(false))),
            (class(3, None), json!(null), Ok(None)),
            (class(3, None), json!("cat"), Err(())),
            (class(3, None), json!(-1), Err(())),
            (class(3, None), json!({}), Err(())),
            (class(3, Some("cat")), json!("cat"), Ok(Some(true))),
            (class(3, Some("cat")), json!("dog"), Ok(Some(false))),
            (class(3, Some("cat")), json!(3), Ok(Some(true))),
            (class(0, Some("7")), json!("7"), Ok(Some(true))),
            (label("7"), json!(7), Ok(Some(true))),
            (label("true"), json!(true), Ok(Some(true))),
            (label("a"), json!("b"), Ok(Some(false))),
            (value(1.0), json!(1.25), Ok(Some(true))),
            (value(1.0), json!(1.26), Ok(Some(false))),
            (value(1.0), json!("1"), Err(())),
        ] {
            assert_eq!(said.is_right(&truth, 0.25).map_err(drop), right, "{said:?} {truth}");
        }
    }

    #[test]
    fn several_rows_take_as_many_truths() {
        assert_eq!(truths(&json!("a"), 1), Ok(vec![json!("a")]));
        assert_eq!(truths(&json!(["a", null]), 2), Ok(vec![json!("a"), json!(null)]));
        assert!(truths(&json!("a"), 2).is_err() && truths(&json!(["a"]), 2).is_err() && truths(&json!([]), 1).is_err());
    }

    #[test]
    fn what_is_on_disk_is_read_for_ever() {
        let said = Predicted { confidence: Some(0.5), ..class(3, Some("cat")) };
        let text = r#"{"c":3,"l":"cat","p":0.5}"#;
        assert_eq!(serde_json::to_string(&said).unwrap(), text);
        assert_eq!(serde_json::from_str::<Predicted>(text).unwrap(), said);
    }
}
