//! The table of what is proved: operator, set, versions, and the builder that says which types, attributes and optional
//! inputs it takes. What is not in it is refused when the model is loaded.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::kernels;
use crate::node::{Built, Node};

/// The newest version of the standard set that was compared with ONNX Runtime.
pub const NEWEST_OPSET: i64 = 28;
/// The oldest one: before it many operators were other ones under the same names.
pub const OLDEST_OPSET: i64 = 7;

/// An operator in the versions of its set from `since` to `until`.
pub(crate) struct Entry {
    /// `""` is the standard set.
    pub(crate) domain: &'static str,
    pub(crate) op: &'static str,
    pub(crate) since: i64,
    pub(crate) until: i64,
    pub(crate) build: fn(&Node<'_>) -> Built,
}

/// An operator of the standard set in all its versions that are proved; the builder looks at [`Node::opset`] where they
/// differ.
pub(crate) const fn standard(op: &'static str, build: fn(&Node<'_>) -> Built) -> Entry {
    Entry { domain: "", op, since: OLDEST_OPSET, until: NEWEST_OPSET, build }
}

/// The same from a version on.
pub(crate) const fn since(since: i64, op: &'static str, build: fn(&Node<'_>) -> Built) -> Entry {
    Entry { domain: "", op, since, until: NEWEST_OPSET, build }
}

/// The same for versions from `since` to `until`.
pub(crate) const fn between(since: i64, until: i64, op: &'static str, build: fn(&Node<'_>) -> Built) -> Entry {
    Entry { domain: "", op, since, until, build }
}

/// An operator of another set.
pub(crate) const fn of_set(
    domain: &'static str,
    since: i64,
    until: i64,
    op: &'static str,
    build: fn(&Node<'_>) -> Built,
) -> Entry {
    Entry { domain, op, since, until, build }
}

/// What the table says of an operator.
pub(crate) enum Found {
    /// The entry that is proved for this version.
    Entry(&'static Entry),
    /// The operator is there, but not in this version; the versions that are.
    OtherVersions(Vec<(i64, i64)>),
    /// There is no such operator.
    Missing,
}

type Index = HashMap<(&'static str, &'static str), Vec<&'static Entry>>;

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = Index::new();
        for entry in kernels::TABLES.iter().flat_map(|table| table.iter()) {
            index.entry((entry.domain, entry.op)).or_default().push(entry);
        }
        index
    })
}

/// Looks an operator up.
pub(crate) fn find(domain: &str, op: &str, opset: i64) -> Found {
    match index().get(&(domain, op)) {
        None => Found::Missing,
        Some(entries) => match entries.iter().find(|entry| (entry.since..=entry.until).contains(&opset)) {
            Some(entry) => Found::Entry(entry),
            None => Found::OtherVersions(entries.iter().map(|entry| (entry.since, entry.until)).collect()),
        },
    }
}

/// All operators of the table, `SET/NAME` outside of the standard set, sorted.
#[must_use]
pub fn operators() -> Vec<String> {
    let name =
        |(domain, op): &(&str, &str)| if domain.is_empty() { (*op).to_owned() } else { format!("{domain}/{op}") };
    let mut names: Vec<_> = index().keys().map(name).collect();
    names.sort();
    names
}
