//! What of a model's inputs and outputs is watched, and how it is found in a request.

use std::collections::BTreeMap;

use half::{bf16, f16};
use serde_json::Value;
use trackside_models::{ModelInfo, Output, OutputPort, Port};
use trackside_spec::{ElementType, Tensor};

use super::{MOST_COLUMNS, column::Kind, held::Held, series::Watched};

/// Of a batch, so many rows are looked at, evenly spread.
const ROWS: usize = 16;
/// Of a long row, so many elements, evenly spread.
const ELEMENTS: usize = 1_024;
/// How a tensor is looked at.
#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// Each element of a row.
    Elements(usize),
    /// What a long row is as a whole; with its length where that varies.
    Summary { varies: bool },
    /// Of a row that has a score for each label: the label with the greatest, and each score where they are few.
    Class { labels: Vec<Box<str>>, scores: usize },
    /// Fields of a list of objects.
    Fields(Vec<String>),
}

/// An input or an output.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    name: String,
    /// Whether the first dimension counts rows.
    batch: bool,
    form: Form,
    columns: usize,
}

/// The inputs of a model, or its outputs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Places {
    places: Vec<Place>,
    pub(super) watched: Vec<Watched>,
    /// Columns that are too many.
    pub(super) left_out: u64,
}

impl Places {
    /// Of a model's inputs.
    pub(super) fn of_inputs(info: &ModelInfo, elements: u32) -> Self {
        let mut places = Self::default();
        for port in &info.inputs {
            places.tensor(port, &[], elements, MOST_COLUMNS);
        }
        places
    }

    /// Of a model's outputs, of which those that are no tensor show their fields in an answer: nothing until one has them all.
    pub(super) fn of_outputs(
        info: &ModelInfo,
        labels: &BTreeMap<String, Vec<String>>,
        answer: &[(String, Output)],
        elements: u32,
        room: usize,
    ) -> Option<Self> {
        let mut places = Self::default();
        for port in &info.outputs {
            match port {
                OutputPort::Tensor(port) => {
                    let labels = labels.get(&port.name).or_else(|| labels.get(""));
                    places.tensor(port, labels.map_or(&[], Vec::as_slice), elements, room);
                }
                OutputPort::Json(port) => {
                    let (_, output) = answer.iter().find(|(name, _)| *name == port.name)?;
                    let Output::Json(value) = output else { continue };
                    places.fields(&port.name, value, elements, room);
                }
            }
        }
        Some(places)
    }

    fn add(&mut self, name: &str, batch: bool, form: Form, columns: Vec<Watched>, room: usize) {
        if self.watched.len() + columns.len() > room {
            self.left_out += columns.len() as u64;
            return;
        }
        self.places.push(Place { name: name.to_owned(), batch, form, columns: columns.len() });
        self.watched.extend(columns);
    }

    fn tensor(&mut self, port: &Port, labels: &[String], elements: u32, room: usize) {
        let kind = match port.element {
            ElementType::Text | ElementType::Boolean => Kind::Category,
            ElementType::Float16 | ElementType::Bfloat16 | ElementType::Float32 | ElementType::Float64 => Kind::Number,
            _ => Kind::Whole,
        };
        let name = &port.name;
        let watched = |name: String, kind: Kind| Watched { name, kind };
        let (batch, length) = match port.shape.as_deref() {
            None => (false, None),
            Some([]) => (false, Some(1)),
            Some([None]) => (true, Some(1)),
            Some([Some(only)]) => (false, Some(*only)),
            Some([first, rest @ ..]) => {
                let length = rest.iter().try_fold(1_u32, |length, dim| length.checked_mul((*dim)?));
                match first {
                    None | Some(1) => (true, length),
                    Some(first) => (false, length.and_then(|length| length.checked_mul(*first))),
                }
            }
        };
        match length {
            Some(length) if length > 1 && labels.len() == length as usize && kind == Kind::Number => {
                let scores = if length <= elements { length as usize } else { 0 };
                let mut columns = vec![watched(format!("{name} class"), Kind::Category)];
                columns.extend(labels[..scores].iter().map(|label| watched(format!("{name}[{label}]"), kind)));
                let labels = labels.iter().map(|label| label.as_str().into()).collect();
                self.add(name, batch, Form::Class { labels, scores }, columns, room);
            }
            Some(1) => self.add(name, batch, Form::Elements(1), vec![watched(name.clone(), kind)], room),
            Some(length) if length <= elements => {
                let columns = (0..length).map(|at| watched(format!("{name}[{at}]"), kind)).collect();
                self.add(name, batch, Form::Elements(length as usize), columns, room);
            }
            _ => {
                let mut of = vec!["mean", "deviation", "zeros", "least", "greatest"];
                if length.is_none() {
                    of.push("length");
                }
                let columns = of.into_iter().map(|what| watched(format!("{name} {what}"), Kind::Number)).collect();
                self.add(name, batch, Form::Summary { varies: length.is_none() }, columns, room);
            }
        }
    }

    fn fields(&mut self, name: &str, value: &Value, elements: u32, room: usize) {
        let first = match value {
            Value::Array(items) => items.first(),
            other => Some(other),
        };
        let Some(Value::Object(fields)) = first else { return };
        let mut fields: Vec<(String, Kind)> = fields
            .iter()
            .map(|(field, value)| (field.clone(), if value.is_string() { Kind::Category } else { Kind::Number }))
            .collect();
        fields.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.left_out += fields.len().saturating_sub(elements as usize) as u64;
        fields.truncate(elements as usize);
        let columns = fields.iter().map(|(field, kind)| Watched { name: format!("{name}[{field}]"), kind: *kind });
        let columns = columns.collect();
        let fields = fields.into_iter().map(|(field, _)| field).collect();
        self.add(name, true, Form::Fields(fields), columns, room);
    }

    /// How many columns there are.
    pub(super) fn columns(&self) -> usize {
        self.watched.len()
    }

    /// What tensors have in all columns: rows behind each other, at most 16 of them.
    pub(super) fn of_tensors(&self, tensors: &[(String, Tensor)]) -> Vec<Held> {
        self.look(|name| tensors.iter().find(|(known, _)| known == name).map(|(_, tensor)| Seen::Tensor(tensor)))
    }

    /// What outputs have.
    pub(super) fn of_answer(&self, outputs: &[(String, Output)]) -> Vec<Held> {
        self.look(|name| {
            let output = outputs.iter().find(|(known, _)| known == name)?;
            Some(match &output.1 {
                Output::Tensor(tensor) => Seen::Tensor(tensor),
                Output::Json(value) => Seen::Json(value),
            })
        })
    }

    fn look<'a>(&self, find: impl Fn(&str) -> Option<Seen<'a>>) -> Vec<Held> {
        let found: Vec<Option<Seen<'a>>> = self.places.iter().map(|place| find(&place.name)).collect();
        let rows = self.places.iter().zip(&found).filter_map(|(place, seen)| Some(place.rows(seen.as_ref()?)));
        let all = rows.max().unwrap_or(0);
        let looked = all.min(ROWS);
        let mut held = Vec::with_capacity(looked * self.columns());
        for row in 0..looked {
            // Evenly spread over the batch.
            let row = row * all / looked;
            for (place, seen) in self.places.iter().zip(&found) {
                let before = held.len();
                if let Some(seen) = seen
                    && row < place.rows(seen)
                {
                    place.row(seen, row, &mut held);
                }
                held.resize(before + place.columns, Held::Absent);
            }
        }
        held
    }
}

/// An input or output of a request.
enum Seen<'a> {
    Tensor(&'a Tensor),
    Json(&'a Value),
}

impl Place {
    fn rows(&self, seen: &Seen<'_>) -> usize {
        match seen {
            Seen::Tensor(tensor) if self.batch => {
                tensor.shape().first().map_or(1, |rows| usize::try_from(*rows).unwrap_or(0))
            }
            Seen::Json(Value::Array(items)) => items.len(),
            _ => 1,
        }
    }

    fn row(&self, seen: &Seen<'_>, row: usize, held: &mut Vec<Held>) {
        match (seen, &self.form) {
            (Seen::Json(value), Form::Fields(fields)) => {
                let object = if let Value::Array(items) = value { items.get(row) } else { Some(*value) };
                held.extend(fields.iter().map(|field| match object.and_then(|object| object.get(field)) {
                    None | Some(Value::Null) => Held::Null,
                    Some(Value::Number(number)) => Held::Number(number.as_f64().unwrap_or(f64::NAN)),
                    Some(Value::Bool(is)) => Held::Number(f64::from(u8::from(*is))),
                    Some(Value::String(text)) => Held::text(text),
                    // What is of no kind that a column has is of another one than this column's: a text among numbers.
                    Some(Value::Array(_) | Value::Object(_)) => Held::Text("".into()),
                }));
            }
            (Seen::Tensor(tensor), form) => {
                let rows = self.rows(seen).max(1);
                let length = tensor.len() / rows;
                let first = row * length;
                match form {
                    Form::Elements(columns) => {
                        held.extend((0..(*columns).min(length)).map(|at| element(tensor, first + at)))
                    }
                    Form::Summary { varies } => summary(tensor, first, length, *varies, held),
                    Form::Class { labels, scores } => {
                        let score = |at: usize| number(tensor, first + at).filter(|score| !score.is_nan());
                        let places = (0..labels.len().min(length)).filter_map(|at| Some((at, score(at)?)));
                        let best = places.max_by(|a, b| a.1.total_cmp(&b.1));
                        held.push(best.map_or(Held::Null, |(at, _)| Held::text(&labels[at])));
                        held.extend((0..(*scores).min(length)).map(|at| element(tensor, first + at)));
                    }
                    Form::Fields(_) => {}
                }
            }
            (Seen::Json(_), _) => {}
        }
    }
}

/// What a long row is as a whole.
fn summary(tensor: &Tensor, first: usize, length: usize, varies: bool, held: &mut Vec<Held>) {
    let looked = length.min(ELEMENTS);
    let (mut sum, mut squares, mut zeros) = (0.0, 0.0, 0_u32);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut around = None;
    for at in 0..looked {
        let value = match &tensor.element() {
            // Of a text, how long it is.
            ElementType::Text => tensor
                .text()
                .get(first + at * length / looked)
                .map(|text| f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX))),
            _ => number(tensor, first + at * length / looked),
        };
        let Some(value) = value else { continue };
        // Around one of them, so that squares of large numbers do not swallow what they differ by.
        let away = value - *around.get_or_insert(value);
        sum += away;
        squares += away * away;
        zeros += u32::from(value == 0.0);
        (low, high) = (low.min(value), high.max(value));
    }
    let Some(around) = around else {
        held.extend(std::iter::repeat_n(Held::Null, 5));
        if varies {
            held.push(Held::Number(0.0));
        }
        return;
    };
    #[expect(clippy::cast_precision_loss, reason = "counts of elements")]
    let (count, length) = (looked as f64, length as f64);
    let mean = sum / count;
    let deviation = (squares / count - mean * mean).max(0.0).sqrt();
    // A NaN among them makes the mean one, and is counted there.
    held.extend(
        [around + mean, if mean.is_nan() { f64::NAN } else { deviation }, f64::from(zeros) / count, low, high]
            .map(Held::Number),
    );
    if varies {
        held.push(Held::Number(length));
    }
}

fn element(tensor: &Tensor, at: usize) -> Held {
    match tensor.element() {
        ElementType::Text => tensor.text().get(at).map_or(Held::Null, |text| Held::text(text)),
        ElementType::Boolean => match number(tensor, at) {
            Some(value) => Held::Text(if value == 0.0 { "false".into() } else { "true".into() }),
            None => Held::Null,
        },
        _ => number(tensor, at).map_or(Held::Null, Held::Number),
    }
}

/// An element as a number; nothing of a text, or beyond the end.
fn number(tensor: &Tensor, at: usize) -> Option<f64> {
    fn bytes<const N: usize>(tensor: &Tensor, at: usize) -> Option<[u8; N]> {
        tensor.data().as_chunks::<N>().0.get(at).copied()
    }
    #[expect(clippy::cast_precision_loss, reason = "of a whole number beyond 2^53, what is near it is watched")]
    let of_large = |number: i128| number as f64;
    Some(match tensor.element() {
        ElementType::Text => return None,
        ElementType::Boolean | ElementType::Uint8 => f64::from(*tensor.data().get(at)?),
        ElementType::Int8 => f64::from(tensor.data().get(at)?.cast_signed()),
        ElementType::Uint16 => f64::from(u16::from_le_bytes(bytes(tensor, at)?)),
        ElementType::Int16 => f64::from(i16::from_le_bytes(bytes(tensor, at)?)),
        ElementType::Uint32 => f64::from(u32::from_le_bytes(bytes(tensor, at)?)),
        ElementType::Int32 => f64::from(i32::from_le_bytes(bytes(tensor, at)?)),
        ElementType::Uint64 => of_large(u64::from_le_bytes(bytes(tensor, at)?).into()),
        ElementType::Int64 => of_large(i64::from_le_bytes(bytes(tensor, at)?).into()),
        ElementType::Float16 => f16::from_le_bytes(bytes(tensor, at)?).to_f64(),
        ElementType::Bfloat16 => bf16::from_le_bytes(bytes(tensor, at)?).to_f64(),
        ElementType::Float32 => f64::from(f32::from_le_bytes(bytes(tensor, at)?)),
        ElementType::Float64 => f64::from_le_bytes(bytes(tensor, at)?),
    })
}
