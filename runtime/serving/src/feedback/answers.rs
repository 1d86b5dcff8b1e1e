//! From outputs to predictions.

use std::collections::BTreeMap;

use serde_json::Value;
use trackside_facts::{LONGEST_LABEL, Predicted};
use trackside_models::{Output, tensor_io::to_f64};
use trackside_spec::{ElementType, Tensor, config::AnswerKind};

use crate::settings::FeedbackSettings;

/// Most rows of a request that are recorded.
const MOST_ROWS: usize = 64;
/// Scores that add up to one within this are probabilities.
const ADDS_UP: f64 = 1e-3;

/// How a model's prediction is read from its outputs.
pub(crate) struct Reading {
    output: Option<String>,
    answer: AnswerKind,
    threshold: f64,
    confidence: Option<String>,
    pub(crate) tolerance: f64,
    labels: BTreeMap<String, Vec<String>>,
}

impl Reading {
    pub(crate) fn of(settings: &FeedbackSettings, labels: &BTreeMap<String, Vec<String>>) -> Self {
        Self {
            output: settings.output.clone(),
            answer: settings.answer,
            threshold: settings.threshold,
            confidence: settings.confidence.clone(),
            tolerance: settings.tolerance,
            labels: labels.clone(),
        }
    }

    /// What was said of each row; nothing where the output is not there or is something else than the settings say.
    pub(crate) fn read(&self, outputs: &[(String, Output)]) -> Option<Vec<Predicted>> {
        let (name, output) = match &self.output {
            Some(wanted) => outputs.iter().find(|(name, _)| name == wanted)?,
            None => outputs.first()?,
        };
        let answers = match (self.answer, output) {
            (AnswerKind::Class, Output::Tensor(tensor)) => self.classes(name, tensor)?,
            (AnswerKind::Class, Output::Json(Value::Array(rows))) => {
                some(rows.len())?;
                rows.iter().map(named).collect::<Option<_>>()?
            }
            (AnswerKind::Label, Output::Tensor(tensor)) => self.labelled(tensor, outputs)?,
            (AnswerKind::Value, Output::Tensor(tensor)) => {
                some(rows(tensor))?;
                let values = one_each(tensor)?;
                let said =
                    |value: f64| value.is_finite().then(|| Predicted { value: Some(value), ..Predicted::default() });
                values.into_iter().map(said).collect::<Option<_>>()?
            }
            (_, Output::Json(_)) => return None,
        };
        let fits = |answer: &Predicted| answer.label.as_ref().is_none_or(|label| label.len() <= LONGEST_LABEL);
        answers.iter().all(fits).then_some(answers)
    }

    /// The greatest of each row's scores.
    fn classes(&self, name: &str, tensor: &Tensor) -> Option<Vec<Predicted>> {
        let rows = if tensor.shape().len() < 2 { 1 } else { rows(tensor) };
        some(rows)?;
        let (scores, labels) = (to_f64(tensor)?, self.labels.get(name).or_else(|| self.labels.get("")));
        let width = scores.len() / rows;
        if width == 0 || scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        let answers = scores.chunks_exact(width).map(|row| {
            let (class, confidence) = if let [score] = row { self.one_score(*score) } else { greatest(row) };
            let class = u32::try_from(class).ok()?;
            let label = labels.and_then(|labels| labels.get(class as usize)).cloned();
            Some(Predicted { class: Some(class), label, value: None, confidence })
        });
        answers.collect()
    }

    fn one_score(&self, score: f64) -> (usize, Option<f32>) {
        let class = usize::from(score >= self.threshold);
        let sure = (0.0..=1.0).contains(&score).then_some(if class == 1 { score } else { 1.0 - score });
        (class, sure.map(short))
    }

    fn labelled(&self, tensor: &Tensor, outputs: &[(String, Output)]) -> Option<Vec<Predicted>> {
        let rows = rows(tensor);
        some(rows)?;
        let texts: Vec<String> = if tensor.element() == ElementType::Text {
            (tensor.len() == rows).then(|| tensor.text().to_vec())?
        } else {
            let whole = |value: f64| (value.fract() == 0.0 && value.abs() < 1e15).then(|| format!("{value:.0}"));
            one_each(tensor)?.into_iter().map(whole).collect::<Option<_>>()?
        };
        let sure = self.confidence.as_ref().and_then(|name| sure(outputs, name, rows));
        let answers = texts.into_iter().enumerate().map(|(at, text)| Predicted {
            label: Some(text),
            confidence: sure.as_ref().and_then(|sure| sure.get(at).copied()),
            ..Predicted::default()
        });
        Some(answers.collect())
    }
}

fn some(rows: usize) -> Option<()> {
    (1..=MOST_ROWS).contains(&rows).then_some(())
}

/// Rows of a tensor: its first dimension; a scalar is one.
fn rows(tensor: &Tensor) -> usize {
    tensor.shape().first().map_or(1, |rows| *rows as usize)
}

/// The one number of each row.
fn one_each(tensor: &Tensor) -> Option<Vec<f64>> {
    let values = to_f64(tensor)?;
    (values.len() == rows(tensor)).then_some(values)
}

/// Where the greatest stands, the first of equals, and how sure that is: itself where all are probabilities, else its softmax.
fn greatest(row: &[f64]) -> (usize, Option<f32>) {
    let mut at = 0;
    for (place, score) in row.iter().enumerate() {
        if *score > row[at] {
            at = place;
        }
    }
    let is_share = row.iter().all(|score| (0.0..=1.0).contains(score));
    if is_share && (row.iter().sum::<f64>() - 1.0).abs() <= ADDS_UP {
        return (at, Some(short(row[at])));
    }
    let sum: f64 = row.iter().map(|score| (score - row[at]).exp()).sum();
    let sure = 1.0 / sum;
    (at, sure.is_finite().then(|| short(sure)))
}

/// A row of names with their probabilities, as a scikit-learn classifier gives it.
fn named(row: &Value) -> Option<Predicted> {
    let scores = row.as_object()?.iter().map(|(name, score)| Some((name, score.as_f64()?)));
    let scores: Vec<(&String, f64)> = scores.collect::<Option<_>>()?;
    let values: Vec<f64> = scores.iter().map(|(_, score)| *score).collect();
    if values.is_empty() || values.iter().any(|score| score.is_nan()) {
        return None;
    }
    let (at, confidence) = greatest(&values);
    Some(Predicted { label: Some(scores[at].0.clone()), confidence, ..Predicted::default() })
}

/// The greatest probability of each row; nothing where that output is not there or is something else.
fn sure(outputs: &[(String, Output)], name: &str, rows: usize) -> Option<Vec<f32>> {
    let (_, output) = outputs.iter().find(|(known, _)| known == name)?;
    match output {
        Output::Json(Value::Array(list)) if list.len() == rows => {
            list.iter().map(|row| named(row)?.confidence).collect()
        }
        Output::Json(_) => None,
        Output::Tensor(tensor) => {
            let scores = to_f64(tensor)?;
            let width = scores.len() / rows;
            if width == 0 || scores.len() != width * rows || scores.iter().any(|score| score.is_nan()) {
                return None;
            }
            let one = |row: &[f64]| match row {
                [score] => (0.0..=1.0).contains(score).then(|| short(score.max(1.0 - score))),
                row => greatest(row).1,
            };
            scores.chunks_exact(width).map(one).collect()
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
fn short(sure: f64) -> f32 {
    sure.clamp(0.0, 1.0) as f32
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reading(answer: AnswerKind) -> Reading {
        Reading {
            output: None,
            answer,
            threshold: 0.5,
            confidence: Some("p".to_owned()),
            tolerance: 0.0,
            labels: BTreeMap::from([("y".to_owned(), vec!["cat".to_owned(), "dog".to_owned()])]),
        }
    }

    fn floats(name: &str, shape: &[u32], values: &[f32]) -> (String, Output) {
        (name.to_owned(), Tensor::from_f32(shape.to_vec(), values).unwrap().into())
    }

    fn said(class: u32, label: Option<&str>, confidence: Option<f32>) -> Predicted {
        Predicted { class: Some(class), label: label.map(str::to_owned), value: None, confidence }
    }

    #[test]
    fn the_greatest_score_of_each_row_is_its_class() {
        let read = |shape: &[u32], values: &[f32]| reading(AnswerKind::Class).read(&[floats("y", shape, values)]);
        assert_eq!(
            read(&[2, 2], &[0.25, 0.75, 1.0, 0.0]),
            Some(vec![said(1, Some("dog"), Some(0.75)), said(0, Some("cat"), Some(1.0))])
        );
        // Scores that are no probabilities: as softmax has it. The first of equals is meant.
        assert_eq!(read(&[3], &[2.0, 2.0, 2.0]), Some(vec![said(0, Some("cat"), Some(1.0 / 3.0))]));
        assert_eq!(read(&[1, 3], &[-1e9, 0.0, 1e9]), Some(vec![said(2, None, Some(1.0))]));
        assert_eq!(
            read(&[2, 1], &[0.5, 0.25]),
            Some(vec![said(1, Some("dog"), Some(0.5)), said(0, Some("cat"), Some(0.75))])
        );
        assert_eq!(read(&[1, 1], &[7.0]), Some(vec![said(1, Some("dog"), None)]));
        assert_eq!(read(&[1, 2], &[f32::INFINITY, 0.0]), Some(vec![said(0, Some("cat"), None)]));
        for (shape, values) in
            [(&[1, 2][..], &[f32::NAN, 0.0][..]), (&[0, 2], &[]), (&[65, 1], &[0.0; 65]), (&[1, 0], &[])]
        {
            assert_eq!(read(shape, values), None, "{shape:?}");
        }
    }

    #[test]
    fn a_label_is_said_as_it_is_and_its_probabilities_stand_elsewhere() {
        let texts = Output::Tensor(Tensor::from_text(vec![2], vec!["a".into(), "b".into()]).unwrap());
        let numbers =
            Tensor::from_bytes(ElementType::Int64, vec![2], [3_i64, -1].map(i64::to_le_bytes).concat()).unwrap();
        let read = |label: &Output, more: (String, Output)| {
            let read = reading(AnswerKind::Label).read(&[("y".to_owned(), label.clone()), more]).unwrap();
            read.into_iter().map(|one| (one.label.unwrap(), one.confidence)).collect::<Vec<_>>()
        };
        assert_eq!(
            read(&texts, floats("p", &[2, 2], &[0.9, 0.1, 0.5, 0.5])),
            [("a".to_owned(), Some(0.9)), ("b".to_owned(), Some(0.5))]
        );
        let maps = ("p".to_owned(), Output::Json(json!([{"3": 0.75, "-1": 0.25}, {"3": 0.5, "-1": 0.5}])));
        assert_eq!(read(&Output::Tensor(numbers), maps), [("3".to_owned(), Some(0.75)), ("-1".to_owned(), Some(0.5))]);
        assert_eq!(read(&texts, floats("q", &[1], &[1.0])), [("a".to_owned(), None), ("b".to_owned(), None)]);
        let long = Output::Tensor(Tensor::from_text(vec![1], vec!["x".repeat(LONGEST_LABEL + 1)]).unwrap());
        assert_eq!(reading(AnswerKind::Label).read(&[("y".to_owned(), long)]), None);
    }

    #[test]
    fn a_value_is_one_number_for_each_row() {
        let read = |shape: &[u32], values: &[f32]| {
            let read = reading(AnswerKind::Value).read(&[floats("y", shape, values)])?;
            Some(read.into_iter().filter_map(|one| one.value).collect::<Vec<_>>())
        };
        assert_eq!(read(&[2, 1], &[1.5, -2.0]), Some(vec![1.5, -2.0]));
        assert_eq!(read(&[], &[4.0]), Some(vec![4.0]));
        assert_eq!(read(&[2, 2], &[1.0; 4]), None);
        assert_eq!(read(&[1], &[f32::NAN]), None);
        assert_eq!(reading(AnswerKind::Value).read(&[]), None);
    }
}
