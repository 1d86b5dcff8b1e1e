//! `state`. Lifetimes of values are accepted and ignored: a test's time stands still.

use std::collections::BTreeMap;

use super::{denied, with};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Step,
    Workflow,
}

/// Why state could not be read or staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateError {
    /// Not granted, and what would grant it.
    Denied(String),
    /// The value changed meanwhile.
    Conflict,
    /// A limit is used up, and which.
    QuotaExceeded(String),
    /// The store failed.
    Storage(String),
}

pub struct Entry {
    pub value: Vec<u8>,
    pub version: u64,
}

pub struct Page {
    pub keys: Vec<String>,
    pub next: Option<String>,
}

/// All entries: value and version by owner and key.
pub type Table = BTreeMap<(Scope, String), (Vec<u8>, u64)>;

fn table<R>(act: impl FnOnce(&mut Table) -> Result<R, StateError>) -> Result<R, StateError> {
    with(|world| match world.state.as_mut() {
        Some(table) => act(table),
        None => Err(StateError::Denied(denied("state"))),
    })
}

pub fn get(scope: Scope, key: &str) -> Result<Option<Entry>, StateError> {
    table(|table| {
        let found = table.get(&(scope, key.to_owned()));
        Ok(found.map(|(value, version)| Entry { value: value.clone(), version: *version }))
    })
}

pub fn set(scope: Scope, key: &str, value: &[u8], _ttl_ms: Option<u64>) -> Result<(), StateError> {
    table(|table| {
        put(table, scope, key, value);
        Ok(())
    })
}

pub fn compare_and_set(scope: Scope, key: &str, expected: Option<u64>, value: &[u8]) -> Result<u64, StateError> {
    table(|table| {
        let found = table.get(&(scope, key.to_owned())).map(|(_, version)| *version);
        if found == expected { Ok(put(table, scope, key, value)) } else { Err(StateError::Conflict) }
    })
}

pub fn delete(scope: Scope, key: &str) -> Result<(), StateError> {
    table(|table| {
        table.remove(&(scope, key.to_owned()));
        Ok(())
    })
}

pub fn list_keys(scope: Scope, prefix: &str, after: Option<&str>, limit: u32) -> Result<Page, StateError> {
    table(|table| {
        let mut keys: Vec<String> = table
            .keys()
            .filter(|(owner, key)| {
                *owner == scope && key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after)
            })
            .map(|(_, key)| key.clone())
            .collect();
        let more = keys.len() > limit as usize;
        keys.truncate(limit as usize);
        let next = if more { keys.last().cloned() } else { None };
        Ok(Page { keys, next })
    })
}

fn put(table: &mut Table, scope: Scope, key: &str, value: &[u8]) -> u64 {
    let slot = table.entry((scope, key.to_owned())).or_default();
    *slot = (value.to_vec(), slot.1 + 1);
    slot.1
}
