//! What several builders read from a call.

use crate::node::Node;
use crate::unsupported::{Unsupported, unsupported};

/// A list of attributes that are counts, 0 or more.
pub(super) fn counts(node: &Node<'_>, name: &str) -> Result<Vec<usize>, Unsupported> {
    let list = node.ints(name)?.unwrap_or_default();
    let counts: Option<Vec<usize>> = list.iter().map(|value| usize::try_from(*value).ok()).collect();
    counts.ok_or_else(|| format!("the attribute {name:?} has a value below zero").into())
}

/// An attribute that is a count, 0 or more.
pub(super) fn count(node: &Node<'_>, name: &str, default: usize) -> Result<usize, Unsupported> {
    match node.int(name)? {
        None => Ok(default),
        Some(value) => usize::try_from(value).map_err(|_| format!("the attribute {name:?} is {value}").into()),
    }
}

/// A float attribute with the default of its definition.
pub(super) fn float(node: &Node<'_>, name: &str, default: f32) -> Result<f32, Unsupported> {
    Ok(node.float(name)?.unwrap_or(default))
}

/// A text attribute with the default of its definition.
pub(super) fn text(node: &Node<'_>, name: &str, default: &str) -> Result<String, Unsupported> {
    Ok(node.text(name)?.unwrap_or_else(|| default.to_owned()))
}

/// A flag with the default of its definition.
pub(super) fn flag(node: &Node<'_>, name: &str, default: bool) -> Result<bool, Unsupported> {
    match node.int(name)? {
        None => Ok(default),
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        Some(other) => unsupported(format!("the attribute {name:?} is {other}, not 0 or 1")),
    }
}
