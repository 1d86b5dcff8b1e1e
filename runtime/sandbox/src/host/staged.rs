//! State writes of one call, before they are committed with the step's result.

use std::collections::BTreeMap;

use crate::report::{Expect, StateOp, StateScope, StateWrite};

/// Staged writes by key. The last write to a key counts; the first check of a key is kept, because it speaks of the
/// committed entry.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    entries: BTreeMap<(StateScope, String), Write>,
    bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) op: StateOp,
    expect: Expect,
    /// Writes to this key in this call: the entry's version is the committed one plus this.
    pub(crate) generation: u64,
}

/// Why a write cannot be staged.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Too many keys.
    Keys(usize),
    /// Too many bytes.
    Bytes(usize),
}

impl Staged {
    pub(crate) fn get(&self, scope: StateScope, key: &str) -> Option<&Write> {
        // The map's key is owned; a borrowed pair cannot be looked up in it.
        self.entries.get(&(scope, key.to_owned()))
    }

    /// Keys and bytes that are staged.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }

    /// Stages a write; the limits bound the number of keys, and the bytes of all keys and values. Returns how many
    /// writes the key has had in this call.
    pub(crate) fn put(
        &mut self,
        scope: StateScope,
        key: String,
        op: StateOp,
        expect: Expect,
        (limit, most): (usize, usize),
    ) -> Result<u64, Full> {
        let size =
            |key: &str, op: &StateOp| key.len() + if let StateOp::Set { value, .. } = op { value.len() } else { 0 };
        let new = size(&key, &op);
        let at = (scope, key);
        let old = self.entries.get(&at);
        let old_size = old.map_or(0, |write| size(&at.1, &write.op));
        if old.is_none() && self.entries.len() >= limit {
            return Err(Full::Keys(limit));
        }
        let bytes = self.bytes - old_size + new;
        if bytes > most {
            return Err(Full::Bytes(most));
        }
        self.bytes = bytes;
        let generation = old.map_or(0, |write| write.generation) + 1;
        let expect = match old.map(|write| write.expect) {
            Some(first) if first != Expect::Any => first,
            _ => expect,
        };
        self.entries.insert(at, Write { op, expect, generation });
        Ok(generation)
    }

    /// Staged keys of a scope that begin with `prefix` and sort after `after`, and whether each is set.
    pub(crate) fn range<'a>(
        &'a self,
        scope: StateScope,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a str, bool)> {
        let start = (scope, after.unwrap_or("").max(prefix).to_owned());
        self.entries
            .range(start..)
            .take_while(move |((at, key), _)| *at == scope && key.starts_with(prefix))
            .filter(move |((_, key), _)| after.is_none_or(|after| key.as_str() > after))
            .map(|((_, key), write)| (key.as_str(), matches!(write.op, StateOp::Set { .. })))
    }

    /// Gives the writes up.
    pub(crate) fn into_writes(self) -> Vec<StateWrite> {
        self.entries
            .into_iter()
            .map(|((scope, key), Write { op, expect, .. })| StateWrite { scope, key, op, expect })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(value: &str) -> StateOp {
        StateOp::Set { value: value.as_bytes().to_vec(), ttl_ms: None }
    }

    #[test]
    fn the_first_check_and_the_last_value_survive() {
        let mut staged = Staged::default();
        let scope = StateScope::Step;
        assert_eq!(staged.put(scope, "a".into(), set("1"), Expect::Version(7), (9, 99)), Ok(1));
        assert_eq!(staged.put(scope, "a".into(), set("2"), Expect::Any, (9, 99)), Ok(2));
        let writes = staged.into_writes();
        assert_eq!(writes.len(), 1);
        assert_eq!((&writes[0].op, writes[0].expect), (&set("2"), Expect::Version(7)));
    }

    #[test]
    fn keys_and_bytes_are_bounded() {
        let mut staged = Staged::default();
        let scope = StateScope::Workflow;
        assert!(staged.put(scope, "a".into(), set(""), Expect::Any, (1, 99)).is_ok());
        assert_eq!(staged.put(scope, "b".into(), set(""), Expect::Any, (1, 99)), Err(Full::Keys(1)));
        let huge = StateOp::Set { value: vec![0; 99], ttl_ms: None };
        assert_eq!(staged.put(scope, "a".into(), huge, Expect::Any, (1, 99)), Err(Full::Bytes(99)));
    }

    #[test]
    fn a_range_keeps_to_scope_prefix_and_position() {
        let mut staged = Staged::default();
        for key in ["a", "p/1", "p/2", "p/3", "q"] {
            staged.put(StateScope::Step, key.into(), set(""), Expect::Any, (99, 99)).unwrap();
            staged.put(StateScope::Workflow, key.into(), set(""), Expect::Any, (99, 99)).unwrap();
        }
        staged.put(StateScope::Step, "p/3".into(), StateOp::Delete, Expect::Any, (99, 99)).unwrap();
        let found = staged.range(StateScope::Step, "p/", Some("p/1")).collect::<Vec<_>>();
        assert_eq!(found, [("p/2", true), ("p/3", false)]);
    }
}
