//! Arithmetic and comparison.

use std::{cmp::Ordering, rc::Rc};

use super::{budget::Budget, error::Fault, ir::BinaryOp, value::Val};

pub(super) fn binary<'a>(op: BinaryOp, left: &Val<'a>, right: &Val<'a>, budget: &Budget) -> Result<Val<'a>, Fault> {
    match op {
        BinaryOp::Equal => left.equals(right, budget).map(Val::Bool),
        BinaryOp::NotEqual => left.equals(right, budget).map(|same| Val::Bool(!same)),
        BinaryOp::Less => ordering(op, left, right, budget).map(|found| Val::Bool(found == Some(Ordering::Less))),
        BinaryOp::Greater => ordering(op, left, right, budget).map(|found| Val::Bool(found == Some(Ordering::Greater))),
        BinaryOp::LessEqual => ordering(op, left, right, budget)
            .map(|found| Val::Bool(matches!(found, Some(Ordering::Less | Ordering::Equal)))),
        BinaryOp::GreaterEqual => ordering(op, left, right, budget)
            .map(|found| Val::Bool(matches!(found, Some(Ordering::Greater | Ordering::Equal)))),
        BinaryOp::In => contains(left, right, budget).map(Val::Bool),
        BinaryOp::Add => add(left, right, budget),
        BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => arithmetic(op, left, right),
    }
}

pub(super) fn negate<'a>(value: &Val<'a>) -> Result<Val<'a>, Fault> {
    match value {
        Val::Int(number) => number.checked_neg().map(Val::Int).ok_or_else(|| too_large("-")),
        Val::Double(number) => Ok(Val::Double(-number)),
        other => Err(Fault::Data(format!("`-` needs a signed number, not {}", other.describe()))),
    }
}

/// How two numbers compare, exactly: no integer is rounded to a double. `None` when one is no number or not-a-number.
pub(super) fn compare_numbers(left: &Val<'_>, right: &Val<'_>) -> Option<Ordering> {
    match (left, right) {
        (Val::Double(left), Val::Double(right)) => left.partial_cmp(right),
        (Val::Double(left), right) => compare_integer(integer(right)?, *left).map(Ordering::reverse),
        (left, Val::Double(right)) => compare_integer(integer(left)?, *right),
        (left, right) => Some(integer(left)?.cmp(&integer(right)?)),
    }
}

fn integer(value: &Val<'_>) -> Option<i128> {
    match value {
        Val::Int(number) => Some(i128::from(*number)),
        Val::UInt(number) => Some(i128::from(*number)),
        _ => None,
    }
}

fn compare_integer(integer: i128, double: f64) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    // The cast saturates far outside the range of 64-bit integers, so the order is right even for infinities.
    let whole = double.trunc() as i128;
    Some(integer.cmp(&whole).then_with(|| 0.0f64.total_cmp(&(double.fract() + 0.0))))
}

fn ordering(op: BinaryOp, left: &Val<'_>, right: &Val<'_>, budget: &Budget) -> Result<Option<Ordering>, Fault> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        budget.take_bytes(left.len().min(right.len()))?;
        return Ok(Some(left.cmp(right)));
    }
    if let (Val::Bool(left), Val::Bool(right)) = (left, right) {
        return Ok(Some(left.cmp(right)));
    }
    let numbers = |value: &Val<'_>| matches!(value, Val::Int(_) | Val::UInt(_) | Val::Double(_));
    if numbers(left) && numbers(right) {
        return Ok(compare_numbers(left, right));
    }
    Err(mismatch(op, left, right))
}

fn contains(needle: &Val<'_>, haystack: &Val<'_>, budget: &Budget) -> Result<bool, Fault> {
    if let Some(items) = haystack.items() {
        for index in 0..items.len() {
            if let Some(item) = items.get(index)
                && item.equals(needle, budget)?
            {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    if haystack.entry_count().is_some() {
        if needle.items().is_some() || needle.entry_count().is_some() {
            return Err(Fault::Data(format!("{} cannot be a key", needle.describe())));
        }
        return haystack.lookup(needle, budget).map(|found| found.is_some());
    }
    let hint = if haystack.as_str().is_some() { "; for a part of a text write text.contains(part)" } else { "" };
    Err(Fault::Data(format!("`in` needs a list or an object on its right, not {}{hint}", haystack.describe())))
}

fn add<'a>(left: &Val<'a>, right: &Val<'a>, budget: &Budget) -> Result<Val<'a>, Fault> {
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        budget.take_bytes(left.len() + right.len())?;
        return Ok(Val::text([left, right].concat()));
    }
    if let (Some(left), Some(right)) = (left.items(), right.items()) {
        budget.take(left.len() + right.len())?;
        let both = (0..left.len()).filter_map(|index| left.get(index));
        let both = both.chain((0..right.len()).filter_map(|index| right.get(index)));
        return Ok(Val::List(Rc::new(both.collect())));
    }
    if left.as_str().is_some() != right.as_str().is_some() {
        return Err(Fault::Data(format!(
            "`+` cannot join {} and {}: write string(…) around the one that is no text",
            left.describe(),
            right.describe()
        )));
    }
    arithmetic(BinaryOp::Add, left, right)
}

/// Integer arithmetic that neither wraps nor divides by zero.
macro_rules! checked {
    ($op:expr, $left:expr, $right:expr, $make:path) => {{
        if *$right == 0 && matches!($op, BinaryOp::Divide | BinaryOp::Remainder) {
            return Err(Fault::Data("division by zero".to_owned()));
        }
        let result = match $op {
            BinaryOp::Add => $left.checked_add(*$right),
            BinaryOp::Subtract => $left.checked_sub(*$right),
            BinaryOp::Multiply => $left.checked_mul(*$right),
            BinaryOp::Divide => $left.checked_div(*$right),
            _ => $left.checked_rem(*$right),
        };
        result.map($make).ok_or_else(|| too_large($op.symbol()))
    }};
}

fn arithmetic<'a>(op: BinaryOp, left: &Val<'a>, right: &Val<'a>) -> Result<Val<'a>, Fault> {
    match (left, right) {
        (Val::Int(left), Val::Int(right)) => checked!(op, left, right, Val::Int),
        (Val::UInt(left), Val::UInt(right)) => checked!(op, left, right, Val::UInt),
        (Val::Int(_), Val::UInt(_)) | (Val::UInt(_), Val::Int(_)) => Err(Fault::Data(format!(
            "`{}` does not mix signed and unsigned integers: write int(…) or double(…)",
            op.symbol()
        ))),
        _ => match (double(left), double(right)) {
            (Some(left), Some(right)) => match op {
                BinaryOp::Add => Ok(Val::Double(left + right)),
                BinaryOp::Subtract => Ok(Val::Double(left - right)),
                BinaryOp::Multiply => Ok(Val::Double(left * right)),
                BinaryOp::Divide => Ok(Val::Double(left / right)),
                _ => Err(Fault::Data("`%` needs integers".to_owned())),
            },
            _ => Err(mismatch(op, left, right)),
        },
    }
}

fn double(value: &Val<'_>) -> Option<f64> {
    match value {
        Val::Int(number) => Some(*number as f64),
        Val::UInt(number) => Some(*number as f64),
        Val::Double(number) => Some(*number),
        _ => None,
    }
}

fn mismatch(op: BinaryOp, left: &Val<'_>, right: &Val<'_>) -> Fault {
    Fault::Data(format!("`{}` does not work on {} and {}", op.symbol(), left.describe(), right.describe()))
}

fn too_large(symbol: &str) -> Fault {
    Fault::Data(format!("the result of `{symbol}` does not fit into 64 bits"))
}
