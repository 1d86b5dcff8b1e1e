//! What a run of the interpreter gives as a port's output: a tensor, or what is packed of tensors, as JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};
use trackside_codes::{Class, Reason};
use trackside_interpreter::{Data, Keys, Pack, PackForm, Value};
use trackside_spec::ElementType;

use super::convert::to_tensor;
use crate::output::{Budget, Form, MapForm, Output};
use crate::tensor_io::{short, to_json};

/// Where an output comes from; the numbers are places among the program's outputs.
pub(super) enum Given {
    /// A tensor, and its type.
    Tensor(usize, ElementType),
    /// A map of each row: which column stands under which key, sorted by key.
    Maps { values: usize, columns: Vec<(String, usize)>, labels: usize },
    /// A list of tensors of a type.
    Tensors(Vec<usize>, ElementType),
}

impl Given {
    /// What the model packs, if that is what it declares.
    pub(super) fn packed(pack: &Pack, form: Form) -> Option<Self> {
        match (&pack.form, form) {
            (PackForm::Maps { values, keys }, Form::Maps(MapForm { key, value: ElementType::Float32 })) => {
                let (columns, labels) = match (keys, key) {
                    (Keys::Whole(keys), ElementType::Int64) => (sorted(keys, |key| key.to_string().into()), keys.len()),
                    (Keys::Text(keys), ElementType::Text) => (sorted(keys, |key| key.into()), keys.len()),
                    _ => return None,
                };
                Some(Self::Maps { values: *values, columns, labels })
            }
            (PackForm::Sequence(places), Form::Tensors(element)) => Some(Self::Tensors(places.clone(), element)),
            _ => None,
        }
    }

    /// The output of a run that gave these values.
    pub(super) fn of(&self, values: &[Value]) -> Result<Output, Reason> {
        let value = |place: usize| values.get(place).ok_or_else(|| Reason::new(Class::Bug, "an output is missing"));
        match self {
            Self::Tensor(place, element) => to_tensor(value(*place)?, *element).map(Output::Tensor),
            Self::Maps { values, columns, labels } => maps(value(*values)?, columns, *labels).map(Output::Json),
            Self::Tensors(places, element) => {
                let mut budget = Budget::new();
                let list = |place: &usize| {
                    let tensor = to_tensor(value(*place)?, *element)?;
                    budget.take_tensor(&tensor)?;
                    Ok(to_json(&tensor))
                };
                places.iter().map(list).collect::<Result<_, Reason>>().map(Output::Json)
            }
        }
    }
}

/// The columns by their keys; of two with one key the last one counts, as in ONNX Runtime.
fn sorted<'k, K: Ord>(keys: &'k [K], text: impl Fn(&'k K) -> Cow<'k, str>) -> Vec<(String, usize)> {
    let columns: BTreeMap<&K, usize> = keys.iter().enumerate().map(|(column, key)| (key, column)).collect();
    columns.into_iter().map(|(key, column)| (text(key).into_owned(), column)).collect()
}

fn maps(value: &Value, columns: &[(String, usize)], labels: usize) -> Result<Json, Reason> {
    let Data::F32(numbers) = value.data() else {
        return Err(Reason::new(Class::Bug, "the values of a map are not float32"));
    };
    let (rows, width) = match value.shape() {
        [width] => (1, *width),
        [rows, width] => (*rows, *width),
        shape => return Err(format!("ZipMap takes one or two dimensions, not {shape:?}").into()),
    };
    if width != labels {
        return Err(format!("ZipMap has {labels} keys for {width} values").into());
    }
    let text: usize = columns.iter().map(|(key, _)| key.len()).sum();
    Budget::new().take(rows.saturating_mul(columns.len().max(1)), rows.saturating_mul(text))?;
    let row = |row: &[f32]| -> Json {
        let field = |(key, column): &(String, usize)| Some((key.clone(), short(*row.get(*column)?)));
        Json::Object(columns.iter().filter_map(field).collect::<Map<_, _>>())
    };
    Ok(numbers.chunks_exact(width.max(1)).take(rows).map(row).collect())
}
