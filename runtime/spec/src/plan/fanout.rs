//! Steps that run once for each item of a list.

use serde_json::Value;

use crate::expr::{Expr, Template};

/// Most items of one step.
pub const MAX_ITEMS: usize = 10_000;
/// Items under way at one time when the file says nothing.
pub const DEFAULT_PARALLEL: u16 = 4;
/// Most items under way at one time.
pub const MAX_PARALLEL: u16 = 256;
/// Most keys of a matrix.
pub const MAX_MATRIX_KEYS: usize = 8;

/// A step that runs once for each item of a list.
#[derive(Debug)]
pub struct Foreach {
    /// Where the items come from.
    pub items: Items,
    /// An item is skipped when this is false.
    pub when: Option<Expr>,
    /// Items under way at one time, at least one. An item that waits for its next attempt is under way.
    pub max_parallel: u16,
    /// What the failure of an item means for the others.
    pub on_failure: OnFailure,
}

/// Where the items of a step come from.
#[derive(Debug)]
pub enum Items {
    /// A list, or an expression that makes one.
    List(Template),
    /// Every combination of the values of the keys, without those that are excluded.
    Matrix(Matrix),
}

/// The combinations of lists.
#[derive(Debug)]
pub struct Matrix {
    /// Key to its list, in the order of the file: the last key varies fastest.
    pub keys: Vec<(String, Template)>,
    /// Combinations that have all of the values of one of these objects are left out.
    pub exclude: Vec<Value>,
}

/// What the failure of an item means for the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// No more items start, those under way are asked to stop, and the step fails with the first error.
    #[default]
    FailFast,
    /// All items run, and the step succeeds; the errors are in its output.
    Collect,
}

/// Why there are no items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoItems {
    /// A stable code: `bad-expression`, `not-a-list`, `too-many-items`.
    pub code: &'static str,
    /// One line for people.
    pub message: String,
}

impl Matrix {
    /// The combinations of these lists, which belong to the keys in their order.
    ///
    /// # Errors
    /// [`NoItems`] when there are more than [`MAX_ITEMS`] combinations before any is left out.
    pub fn combine(&self, lists: &[Vec<Value>]) -> Result<Vec<Value>, NoItems> {
        let count = lists.iter().try_fold(1usize, |count, list| count.checked_mul(list.len()));
        let Some(count) = count.filter(|count| *count <= MAX_ITEMS) else {
            return Err(too_many("the matrix", count));
        };
        let mut items = Vec::with_capacity(count);
        for number in 0..count {
            let mut rest = number;
            let mut item = serde_json::Map::with_capacity(lists.len());
            let mut places = vec![0; lists.len()];
            for (place, list) in places.iter_mut().zip(lists).rev() {
                *place = rest % list.len();
                rest /= list.len();
            }
            for (((key, _), list), place) in self.keys.iter().zip(lists).zip(places) {
                item.insert(key.clone(), list[place].clone());
            }
            let item = Value::Object(item);
            if !self.exclude.iter().any(|excluded| has_all(&item, excluded)) {
                items.push(item);
            }
        }
        Ok(items)
    }
}

/// The list that `value` is.
///
/// # Errors
/// [`NoItems`] when it is none or has more than [`MAX_ITEMS`] elements.
pub fn list_of(what: &str, value: Value) -> Result<Vec<Value>, NoItems> {
    match value {
        Value::Array(items) if items.len() <= MAX_ITEMS => Ok(items),
        Value::Array(items) => Err(too_many(what, Some(items.len()))),
        other => {
            let message = format!("{what} needs a list, and this is {}", described(&other));
            Err(NoItems { code: "not-a-list", message })
        }
    }
}

fn too_many(what: &str, count: Option<usize>) -> NoItems {
    let count = count.map_or_else(|| "too many".to_owned(), |count| count.to_string());
    NoItems { code: "too-many-items", message: format!("{what} has {count} items; the limit is {MAX_ITEMS}") }
}

/// Whether `item` has every entry of `wanted`, with 1 and 1.0 the same.
fn has_all(item: &Value, wanted: &Value) -> bool {
    let same = |left: &Value, right: &Value| match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    };
    wanted
        .as_object()
        .is_some_and(|wanted| wanted.iter().all(|(key, value)| item.get(key).is_some_and(|found| same(found, value))))
}

/// A value as messages call it.
pub(crate) fn described(value: &Value) -> String {
    let clip = |text: String| match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => format!("the boolean {truth}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {}", clip(format!("{text:?}"))),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matrix(keys: &[&str], exclude: Vec<Value>) -> Matrix {
        let template = || Template::compile(&json!([])).unwrap();
        Matrix { keys: keys.iter().map(|key| ((*key).to_owned(), template())).collect(), exclude }
    }

    #[test]
    fn the_last_key_varies_fastest_and_excluded_combinations_are_left_out() {
        let lists = [vec![json!(1), json!(2)], vec![json!("x"), json!("y")]];
        let items = matrix(&["b", "a"], vec![json!({"a": "x", "b": 2.0})]).combine(&lists).unwrap();
        assert_eq!(items, [json!({"b": 1, "a": "x"}), json!({"b": 1, "a": "y"}), json!({"b": 2, "a": "y"})]);
        let items = matrix(&["b", "a"], vec![json!({"a": "y"})]).combine(&lists).unwrap();
        assert_eq!(items, [json!({"b": 1, "a": "x"}), json!({"b": 2, "a": "x"})]);
    }

    #[test]
    fn an_empty_list_leaves_no_combination_and_a_huge_matrix_is_refused_before_it_is_made() {
        assert_eq!(matrix(&["a", "b"], vec![]).combine(&[vec![], vec![json!(1)]]), Ok(vec![]));
        let long = vec![Value::Null; 200];
        let error = matrix(&["a", "b"], vec![]).combine(&[long.clone(), long.clone()]).unwrap_err();
        assert_eq!(error.message, "the matrix has 40000 items; the limit is 10000");
        let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let lists = vec![vec![Value::Null; 10_000]; 8];
        assert_eq!(matrix(&keys, vec![]).combine(&lists).unwrap_err().code, "too-many-items");
    }
}
