//! From a tree to a Rust type, with every problem and not only the first.

use serde::de::DeserializeOwned;

use super::{
    Data, Node,
    de::{Fault, FaultKind},
};
use crate::spec_error::{Place, Report};

/// Rounds of reading; a file with more problems has shown enough of them.
const MAX_ROUNDS: usize = 20;

/// Reads `root` as a `T`. Serde stops at the first error, so the offending entry is cut out of a copy and the rest is
/// read again, until nothing is wrong with what is left. `None` when there was any problem.
pub(crate) fn read<T: DeserializeOwned>(root: &Node, report: &mut Report<'_>) -> Option<T> {
    let first = match T::deserialize(root) {
        Ok(value) => return Some(value),
        Err(fault) => fault,
    };
    let mut rest = root.clone();
    let mut cut: Vec<u32> = Vec::new();
    let mut fault = first;
    for _ in 0..MAX_ROUNDS {
        // What something lacks because it was cut out is no second problem, but the thing is unusable.
        if !cut.contains(&fault.node) {
            describe(root, &fault, report);
        }
        if report.is_full() {
            break;
        }
        match remove(&mut rest, fault.node) {
            Some(owner) => cut.push(owner),
            None => break,
        }
        fault = match T::deserialize(&rest) {
            Ok(_) => break,
            Err(next) => next,
        };
    }
    None
}

fn describe(root: &Node, fault: &Fault, report: &mut Report<'_>) {
    let code = match fault.kind {
        FaultKind::UnknownKey | FaultKind::MissingKey => "TS-0102",
        FaultKind::Value => "TS-0103",
    };
    let place = place_of(root, fault.node).unwrap_or(root.place);
    report.add(code, place, fault.message.clone(), fault.help.clone());
}

/// Where the node or key with this id is. A mapping as a whole is shown by its key, which says more than its first
/// line.
fn place_of(node: &Node, id: u32) -> Option<Place> {
    if node.id == id {
        return Some(node.place);
    }
    match &node.data {
        Data::List(items) => items.iter().find_map(|item| place_of(item, id)),
        Data::Map(entries) => entries.iter().find_map(|(key, value)| {
            let whole = value.id == id && matches!(value.data, Data::Map(_) | Data::List(_) | Data::Null);
            if key.id == id || whole { Some(key.place) } else { place_of(value, id) }
        }),
        _ => None,
    }
}

/// Cuts out the entry or element whose key or value has this id; returns the id of what it was cut from.
fn remove(node: &mut Node, id: u32) -> Option<u32> {
    let owner = node.id;
    match &mut node.data {
        Data::List(items) => {
            if let Some(index) = items.iter().position(|item| item.id == id) {
                items.remove(index);
                return Some(owner);
            }
            items.iter_mut().find_map(|item| remove(item, id))
        }
        Data::Map(entries) => {
            if let Some(index) = entries.iter().position(|(key, value)| key.id == id || value.id == id) {
                entries.remove(index);
                return Some(owner);
            }
            entries.iter_mut().find_map(|(_, value)| remove(value, id))
        }
        _ => None,
    }
}
