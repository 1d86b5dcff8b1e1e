//! Two answers to one request: are they the same, and what is a number to go by?

use std::collections::BTreeMap;

use trackside_models::Output;
use trackside_spec::{ElementType, RolloutPlan, Tensor};

/// Most rows of an answer that are looked at, and most numbers of a row.
const ROWS: usize = 64;
const PLACES: usize = 4096;
/// How far apart two numbers may lie where nobody says it, as a share of the larger.
const TOLERANCE: f64 = 0.01;

/// What of an answer is compared.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    output: Option<String>,
    tolerance: Option<f64>,
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq)]
enum Row {
    Numbers(Vec<f64>),
    Other(String),
}

impl Compared {
    pub(crate) fn of(plan: &RolloutPlan) -> Self {
        Self { output: plan.output.clone(), tolerance: plan.tolerance.map(|percent| percent / 100.0) }
    }

    fn output<'a>(&self, outputs: &'a [(String, Output)]) -> Option<&'a Output> {
        let found = match &self.output {
            Some(name) => outputs.iter().find(|(known, _)| known == name),
            None => outputs.first(),
        };
        found.map(|(_, output)| output)
    }

    /// The share of rows in which two answers are the same; none where there is nothing to compare.
    pub(crate) fn agreed(&self, one: &[(String, Output)], other: &[(String, Output)]) -> Option<f64> {
        let (one, other) = (rows(self.output(one)?), rows(self.output(other)?));
        if one.is_empty() && other.is_empty() {
            return None;
        }
        let same = one.iter().zip(&other).filter(|(one, other)| self.alike(one, other)).count();
        #[expect(clippy::cast_precision_loss, reason = "at most 64 rows")]
        let share = same as f64 / one.len().max(other.len()) as f64;
        Some(share)
    }

    fn alike(&self, one: &Row, other: &Row) -> bool {
        let (Row::Numbers(one), Row::Numbers(other)) = (one, other) else { return one == other };
        if one.len() != other.len() {
            return false;
        }
        match self.tolerance {
            None if one.len() > 1 => greatest(one) == greatest(other),
            tolerance => {
                let most = tolerance.unwrap_or(TOLERANCE);
                one.iter()
                    .zip(other)
                    .all(|(a, b)| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= most * a.abs().max(b.abs()))
            }
        }
    }

    /// A number to go by: of several in a row the greatest (of two the second: a yes), of one itself; of the first row.
    pub(crate) fn score(&self, outputs: &[(String, Output)]) -> Option<f64> {
        match rows(self.output(outputs)?).into_iter().next()? {
            Row::Numbers(numbers) if numbers.len() == 2 => Some(numbers[1]),
            Row::Numbers(numbers) => numbers.into_iter().reduce(f64::max),
            Row::Other(_) => None,
        }
    }
}

/// Whether an answer has a number that is none.
pub(crate) fn is_broken(outputs: &[(String, Output)]) -> bool {
    let numbers = outputs.iter().filter_map(|(_, output)| numbers(output.tensor()?, PLACES));
    numbers.flatten().any(|number| !number.is_finite())
}

/// The rows of an answer, the first of them.
fn rows(output: &Output) -> Vec<Row> {
    match output {
        Output::Json(serde_json::Value::Array(rows)) => {
            // Objects of other versions list their keys in another order.
            let sorted = |row: &serde_json::Value| match row {
                serde_json::Value::Object(fields) => format!("{:?}", fields.iter().collect::<BTreeMap<_, _>>()),
                other => other.to_string(),
            };
            rows.iter().take(ROWS).map(|row| Row::Other(sorted(row))).collect()
        }
        Output::Json(other) => vec![Row::Other(other.to_string())],
        Output::Tensor(tensor) => {
            let count = tensor.shape().first().map_or(1, |rows| *rows as usize).max(1);
            let width = tensor.len() / count;
            if width == 0 {
                return Vec::new();
            }
            match numbers(tensor, width.saturating_mul(ROWS.min(count)).min(PLACES * ROWS)) {
                Some(numbers) => numbers.chunks(width).map(|row| Row::Numbers(row.to_vec())).collect(),
                None if tensor.element() == ElementType::Text => {
                    tensor.text().chunks(width).take(ROWS).map(|row| Row::Other(row.join("\u{1f}"))).collect()
                }
                // Whole numbers and yes and no: the same or not.
                None => {
                    let size = tensor.element().size().unwrap_or(1);
                    let row = |bytes: &[u8]| Row::Other(format!("{bytes:?}"));
                    tensor.data().chunks(size * width).take(ROWS).map(row).collect()
                }
            }
        }
    }
}

/// So many of a tensor's numbers, where it has real ones.
fn numbers(tensor: &Tensor, most: usize) -> Option<Vec<f64>> {
    let data = tensor.data();
    Some(match tensor.element() {
        ElementType::Float32 => {
            data.as_chunks::<4>().0.iter().take(most).map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
        }
        ElementType::Float64 => {
            data.as_chunks::<8>().0.iter().take(most).map(|bytes| f64::from_le_bytes(*bytes)).collect()
        }
        _ => return None,
    })
}

/// The place of the greatest number, as a class is told; of a NaN none.
fn greatest(numbers: &[f64]) -> Option<usize> {
    let places = numbers.iter().enumerate();
    if numbers.iter().any(|number| number.is_nan()) {
        return None;
    }
    places
        .max_by(|(place, one), (other_place, other)| one.total_cmp(other).then(other_place.cmp(place)))
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(shape: &[u32], values: &[f32]) -> Vec<(String, Output)> {
        vec![("y".to_owned(), Output::Tensor(Tensor::from_f32(shape.to_vec(), values).unwrap()))]
    }

    fn compared(tolerance: Option<f64>) -> Compared {
        Compared { output: None, tolerance }
    }

    #[test]
    fn classes_agree_by_the_greatest_and_numbers_by_their_distance() {
        let classes = answer(&[2, 3], &[0.1, 0.7, 0.2, 0.5, 0.3, 0.2]);
        let near = answer(&[2, 3], &[0.3, 0.4, 0.3, 0.2, 0.6, 0.2]);
        assert_eq!(compared(None).agreed(&classes, &near), Some(0.5));
        assert_eq!(compared(Some(0.01)).agreed(&classes, &near), Some(0.0));
        let (one, other) = (answer(&[2, 1], &[10.0, 20.0]), answer(&[2, 1], &[10.05, 21.0]));
        assert_eq!(compared(None).agreed(&one, &other), Some(0.5));
        assert_eq!(compared(Some(0.1)).agreed(&one, &other), Some(1.0));
        // Another number of rows, or of columns, is another answer.
        assert_eq!(compared(None).agreed(&one, &answer(&[1, 1], &[10.0])), Some(0.5));
        assert_eq!(compared(None).agreed(&classes, &answer(&[2, 2], &[1.0, 0.0, 1.0, 0.0])), Some(0.0));
        assert_eq!(compared(None).agreed(&answer(&[0, 3], &[]), &answer(&[0, 3], &[])), None);
        let named = Compared { output: Some("z".to_owned()), tolerance: None };
        assert_eq!(named.agreed(&one, &other), None);
    }

    #[test]
    fn texts_and_whole_numbers_are_the_same_or_not() {
        let texts = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            vec![("y".to_owned(), Output::Tensor(Tensor::from_text(vec![texts.len() as u32], texts).unwrap()))]
        };
        assert_eq!(compared(None).agreed(&texts(&["a", "b"]), &texts(&["a", "c"])), Some(0.5));
        let whole = |numbers: &[i64]| {
            let data = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            let tensor = Tensor::from_bytes(ElementType::Int64, vec![numbers.len() as u32], data).unwrap();
            vec![("y".to_owned(), Output::Tensor(tensor))]
        };
        assert_eq!(compared(None).agreed(&whole(&[1, 2]), &whole(&[1, 3])), Some(0.5));
        assert_eq!(compared(None).score(&whole(&[1])), None);
        let json = |text: &str| vec![("y".to_owned(), Output::Json(serde_json::from_str(text).unwrap()))];
        assert_eq!(compared(None).agreed(&json(r#"[{"a":1,"b":2}]"#), &json(r#"[{"b":2,"a":1}]"#)), Some(1.0));
    }

    #[test]
    fn what_is_no_number_is_broken_and_agrees_with_itself_alone() {
        let (nan, one) = (answer(&[1, 2], &[f32::NAN, 1.0]), answer(&[1, 2], &[0.0, 1.0]));
        assert!(is_broken(&nan) && !is_broken(&one) && is_broken(&answer(&[1], &[f32::INFINITY])));
        assert_eq!(compared(None).agreed(&nan, &one), Some(0.0));
        assert_eq!(compared(None).score(&one), Some(1.0));
        assert_eq!(compared(None).score(&answer(&[1, 3], &[0.2, 0.5, 0.3])).map(|score| score > 0.49), Some(true));
    }
}
