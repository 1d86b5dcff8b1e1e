//! Sequences and maps of ONNX Runtime as JSON.

use std::fmt::Debug;
use std::hash::Hash;

use ort::value::{
    DynMap, DynMapValueType, DynSequenceValueType, DynTensorValueType, DynValue, IntoTensorElementType,
    PrimitiveTensorElementType,
};
use serde_json::{Map, Value};
use trackside_codes::{Class, Reason};
use trackside_spec::ElementType;

use super::native;
use crate::output::{Budget, Form, MapForm};
use crate::tensor_io::{double, short, to_json};

/// An output that is no tensor.
pub(super) fn json(value: DynValue, form: Form) -> Result<Value, Reason> {
    let failed = |error: ort::Error| Reason::by(Class::Failed, error);
    let mut budget = Budget::new();
    let map_of = |value: DynValue| value.downcast::<DynMapValueType>().map_err(failed);
    match form {
        Form::Map(form) => map(&map_of(value)?, form, &mut budget),
        Form::Maps(form) => {
            let sequence = value.downcast::<DynSequenceValueType>().map_err(failed)?;
            let maps = sequence.try_extract_sequence::<DynMapValueType>().map_err(failed)?;
            maps.iter().map(|value| map(value, form, &mut budget)).collect()
        }
        Form::Tensors(element) => {
            let sequence = value.downcast::<DynSequenceValueType>().map_err(failed)?;
            let tensors = sequence.try_extract_sequence::<DynTensorValueType>().map_err(failed)?;
            let list = |value: ort::value::DynTensor| {
                let tensor = native::tensor(value.into_dyn(), element)?;
                budget.take_tensor(&tensor)?;
                Ok(to_json(&tensor))
            };
            tensors.into_iter().map(list).collect()
        }
    }
}

fn map(map: &DynMap, MapForm { key, value }: MapForm, budget: &mut Budget) -> Result<Value, Reason> {
    match (key, value) {
        (ElementType::Int64, ElementType::Float32) => object(map, |key: &i64| key.to_string(), short, budget),
        (ElementType::Int64, ElementType::Float64) => object(map, |key: &i64| key.to_string(), double, budget),
        (ElementType::Int64, ElementType::Int64) => {
            object(map, |key: &i64| key.to_string(), |number: i64| Value::from(number), budget)
        }
        (ElementType::Text, ElementType::Float32) => object(map, String::clone, short, budget),
        (ElementType::Text, ElementType::Float64) => object(map, String::clone, double, budget),
        (ElementType::Text, ElementType::Int64) => {
            object(map, String::clone, |number: i64| Value::from(number), budget)
        }
        _ => Err(Reason::new(Class::Bug, "a map of these types is not known")),
    }
}

fn object<K, V>(
    map: &DynMap,
    key: impl Fn(&K) -> String,
    value: impl Fn(V) -> Value,
    budget: &mut Budget,
) -> Result<Value, Reason>
where
    K: IntoTensorElementType + Debug + Clone + Hash + Eq + Ord,
    V: PrimitiveTensorElementType + Debug + Clone,
{
    let mut pairs = map.try_extract_key_values::<K, V>().map_err(|error| Reason::by(Class::Failed, error))?;
    // Its own order is that of the keys; so that both engines write the same, it is made sure here.
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut fields = Map::new();
    for (name, number) in pairs {
        let name = key(&name);
        budget.take(1, name.len())?;
        fields.insert(name, value(number));
    }
    Ok(Value::Object(fields))
}
