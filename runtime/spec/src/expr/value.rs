//! Values while an expression is evaluated: JSON is borrowed, only what the expression makes is owned.

use std::rc::Rc;

use serde_json::{Map, Number, Value};

use super::{budget::Budget, error::Fault};

/// Deepest document that an expression compares or returns.
const MAX_DEPTH: usize = 128;

#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Str(&'a str),
    Text(Rc<str>),
    /// An array of the scope.
    Array(&'a [Value]),
    /// An object of the scope.
    Object(&'a Map<String, Value>),
    List(Rc<Vec<Val<'a>>>),
    /// A map that the expression made, in the order of its text.
    Map(Rc<Vec<(Val<'a>, Val<'a>)>>),
}

impl<'a> From<&'a Value> for Val<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(int), _, _) => Self::Int(int),
                (None, Some(uint), _) => Self::UInt(uint),
                (None, None, Some(double)) => Self::Double(double),
                (None, None, None) => Self::Null,
            },
            Value::String(text) => Self::Str(text),
            Value::Array(items) => Self::Array(items),
            Value::Object(entries) => Self::Object(entries),
        }
    }
}

impl<'a> Val<'a> {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list.
    pub(super) fn items(&self) -> Option<Items<'_, 'a>> {
        match self {
            Self::Array(items) => Some(Items::Json(items)),
            Self::List(items) => Some(Items::Made(items)),
            _ => None,
        }
    }

    /// The type as messages call it.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::UInt(_) | Self::Double(_) => "a number",
            Self::Str(_) | Self::Text(_) => "a text",
            Self::Array(_) | Self::List(_) => "a list",
            Self::Object(_) | Self::Map(_) => "an object",
        }
    }

    /// The type and, when it is short, the value.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number) => format!("the number {number}"),
            Self::UInt(number) => format!("the number {number}"),
            Self::Double(number) => format!("the number {number}"),
            Self::Str(_) | Self::Text(_) => {
                let text = self.as_str().unwrap_or_default();
                match text.char_indices().nth(40) {
                    Some((end, _)) => format!("the text {:?}…", &text[..end]),
                    None => format!("the text {text:?}"),
                }
            }
            Self::Array(_) | Self::List(_) | Self::Object(_) | Self::Map(_) => self.type_name().to_owned(),
        }
    }

    /// The value as JSON.
    pub(super) fn to_json(&self, budget: &Budget) -> Result<Value, Fault> {
        self.to_json_below(budget, 0)
    }

    fn to_json_below(&self, budget: &Budget, depth: usize) -> Result<Value, Fault> {
        budget.take(1)?;
        if depth == MAX_DEPTH {
            return Err(Fault::Data(format!("the value is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::from(*number),
            Self::UInt(number) => Value::from(*number),
            Self::Double(number) => match Number::from_f64(*number) {
                Some(number) => Value::Number(number),
                None => return Err(Fault::Data(format!("the result is {number}, which JSON cannot hold"))),
            },
            Self::Str(_) | Self::Text(_) => {
                let text = self.as_str().unwrap_or_default();
                budget.take_bytes(text.len())?;
                Value::String(text.to_owned())
            }
            Self::Array(items) => {
                let items = items.iter().map(|item| Val::from(item).to_json_below(budget, depth + 1));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::List(items) => {
                let items = items.iter().map(|item| item.to_json_below(budget, depth + 1));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(entries) => {
                let mut object = Map::with_capacity(entries.len());
                for (key, value) in *entries {
                    budget.take_bytes(key.len())?;
                    object.insert(key.clone(), Val::from(value).to_json_below(budget, depth + 1)?);
                }
                Value::Object(object)
            }
            Self::Map(entries) => {
                let mut object = Map::with_capacity(entries.len());
                for (key, value) in entries.iter() {
                    let Some(name) = key.as_str() else {
                        return Err(Fault::Data(format!(
                            "the keys of a JSON object are texts, not {}",
                            key.describe()
                        )));
                    };
                    object.insert(name.to_owned(), value.to_json_below(budget, depth + 1)?);
                }
                Value::Object(object)
            }
        })
    }

    /// Deep equality: numbers by value whatever their type, objects whatever their order.
    pub(super) fn equals(&self, other: &Self, budget: &Budget) -> Result<bool, Fault> {
        self.equals_below(other, budget, 0)
    }

    fn equals_below(&self, other: &Self, budget: &Budget, depth: usize) -> Result<bool, Fault> {
        budget.take(1)?;
        if depth == MAX_DEPTH {
            return Err(Fault::Data(format!("the values are nested deeper than {MAX_DEPTH} levels")));
        }
        if let (Some(left), Some(right)) = (self.as_str(), other.as_str()) {
            budget.take_bytes(left.len())?;
            return Ok(left == right);
        }
        if let (Some(left), Some(right)) = (self.items(), other.items()) {
            if left.len() != right.len() {
                return Ok(false);
            }
            for index in 0..left.len() {
                let same = match (left.get(index), right.get(index)) {
                    (Some(left), Some(right)) => left.equals_below(&right, budget, depth + 1)?,
                    _ => false,
                };
                if !same {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        if let (Some(left), Some(right)) = (self.entry_count(), other.entry_count()) {
            return if left == right { self.entries_equal(other, budget, depth) } else { Ok(false) };
        }
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            _ => super::ops::compare_numbers(self, other) == Some(std::cmp::Ordering::Equal),
        })
    }

    fn entries_equal(&self, other: &Self, budget: &Budget, depth: usize) -> Result<bool, Fault> {
        let same = |key: &Val<'a>, left: &Val<'a>| match other.lookup(key, budget)? {
            Some(right) => left.equals_below(&right, budget, depth + 1),
            None => Ok(false),
        };
        match self {
            Self::Object(entries) => {
                for (key, value) in *entries {
                    if !same(&Val::Str(key), &Val::from(value))? {
                        return Ok(false);
                    }
                }
            }
            Self::Map(entries) => {
                for (key, value) in entries.iter() {
                    if !same(key, value)? {
                        return Ok(false);
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// How many entries an object has.
    pub(super) fn entry_count(&self) -> Option<usize> {
        match self {
            Self::Object(entries) => Some(entries.len()),
            Self::Map(entries) => Some(entries.len()),
            _ => None,
        }
    }

    /// The keys of an object.
    pub(super) fn keys(&self) -> Option<Vec<Val<'a>>> {
        match self {
            Self::Object(entries) => Some(entries.keys().map(|key| Val::Str(key)).collect()),
            Self::Map(entries) => Some(entries.iter().map(|(key, _)| key.clone()).collect()),
            _ => None,
        }
    }

    /// The value under `key` of an object.
    pub(super) fn lookup(&self, key: &Val<'_>, budget: &Budget) -> Result<Option<Val<'a>>, Fault> {
        Ok(match self {
            Self::Object(entries) => key.as_str().and_then(|key| entries.get(key)).map(Val::from),
            Self::Map(entries) => {
                let mut found = None;
                for (known, value) in entries.iter() {
                    if known.equals(key, budget)? {
                        found = Some(value.clone());
                        break;
                    }
                }
                found
            }
            _ => None,
        })
    }
}

/// The elements of a list, whoever owns it.
pub(super) enum Items<'r, 'a> {
    Json(&'a [Value]),
    Made(&'r [Val<'a>]),
}

impl<'a> Items<'_, 'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Json(items) => items.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn get(&self, index: usize) -> Option<Val<'a>> {
        match self {
            Self::Json(items) => items.get(index).map(Val::from),
            Self::Made(items) => items.get(index).cloned(),
        }
    }
}
