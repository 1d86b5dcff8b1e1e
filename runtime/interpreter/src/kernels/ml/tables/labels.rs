//! `LabelEncoder`: from each key to its value.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::kernels::nn::plain::Dense;
use crate::node::{Built, Node, Plan};
use crate::unsupported::{Unsupported, unsupported};
use crate::value::{Element, Type, Value};

/// The list of keys or values, whatever its type; and its one default, where it is that of the values.
struct List {
    list: Value,
    default: Value,
}

fn list(node: &Node<'_>, which: &str) -> Result<List, Unsupported> {
    let mut found = Vec::new();
    let texts = node.texts(&format!("{which}_strings"))?.unwrap_or_default();
    let whole = node.ints(&format!("{which}_int64s"))?.unwrap_or_default().to_vec();
    let floats = node.floats(&format!("{which}_floats"))?.unwrap_or_default().to_vec();
    let values = which == "values";
    let text = if values { node.text("default_string")? } else { None }.unwrap_or_else(|| "_Unused".to_owned());
    let number = if values { node.int("default_int64")? } else { None }.unwrap_or(-1);
    let float = if values { node.float("default_float")? } else { None }.unwrap_or(-0.0);
    if !texts.is_empty() {
        let list: Vec<Arc<str>> = texts.into_iter().map(Arc::from).collect();
        found.push(List {
            list: Value::new(vec![list.len()], list)?,
            default: Value::scalar::<Arc<str>>(Arc::from(text)),
        });
    }
    if !whole.is_empty() {
        found.push(List { list: Value::new(vec![whole.len()], whole)?, default: Value::scalar(number) });
    }
    if !floats.is_empty() {
        found.push(List { list: Value::new(vec![floats.len()], floats)?, default: Value::scalar(float) });
    }
    match found.pop() {
        Some(list) if found.is_empty() => Ok(list),
        _ => unsupported(format!("its {which} must be given once, as texts, int64 or float32")),
    }
}

pub(super) fn label_encoder(node: &Node<'_>) -> Built {
    node.arity(1, 1, 1)?;
    let (keys, values) = (list(node, "keys")?, list(node, "values")?);
    if keys.list.len() != values.list.len() {
        return unsupported(format!("{} keys do not fit {} values", keys.list.len(), values.list.len()));
    }
    node.ty(0, &[keys.list.ty()])?;
    match (keys.list.ty(), values.list.ty()) {
        (Type::Text, Type::I64) => of::<Arc<str>, i64>(&keys, &values),
        (Type::Text, Type::F32) => of::<Arc<str>, f32>(&keys, &values),
        (Type::Text, Type::Text) => of::<Arc<str>, Arc<str>>(&keys, &values),
        (Type::I64, Type::Text) => of::<i64, Arc<str>>(&keys, &values),
        (Type::I64, Type::F32) => of::<i64, f32>(&keys, &values),
        (Type::I64, Type::I64) => of::<i64, i64>(&keys, &values),
        (key, value) => unsupported(format!("keys of {} and values of {} are not proved", key.name(), value.name())),
    }
}

fn of<K: Element + Hash + Eq, V: Element>(keys: &List, values: &List) -> Built {
    let (list, to) = (keys.list.view::<K>()?, values.list.view::<V>()?);
    let default = values.default.view::<V>()?.data[0].clone();
    let mut map = HashMap::with_capacity(list.len());
    for (key, value) in list.data.iter().zip(to.data) {
        if map.insert(key.clone(), value.clone()).is_some() {
            return unsupported("a key is given twice");
        }
    }
    Plan::new([V::TYPE], move |inputs, run| {
        let x = inputs.view::<K>(0)?;
        let mut data = run.room.fill(x.len(), default.clone())?;
        for (made, key) in data.iter_mut().zip(x.data) {
            if let Some(value) = map.get(key) {
                made.clone_from(value);
            }
        }
        Ok(vec![Value::of(Dense { shape: x.shape.to_vec(), data })])
    })
}
