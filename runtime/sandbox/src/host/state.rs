//! `state`: small values that are committed with the step's result. A step sees its own writes at once; nobody else
//! sees them before the commit.

use crate::{
    bindings::trackside::plugin::state::{Entry, Host, Page, Scope, StateError},
    host::staged::Full,
    report::{Expect, StateOp, StateScope},
    store_data::CallData,
};

const KEY: usize = 512;
/// Keys of one page.
const PAGE: usize = 1_000;

/// A key as this step sees it.
struct Visible {
    entry: Option<Entry>,
    /// Version of the committed entry, 0 without one.
    base: u64,
}

type Answer<T> = wasmtime::Result<Result<T, StateError>>;

impl CallData {
    /// Counts the call, and refuses it without the grant or with a bad key.
    fn enter_state(&mut self, key: &str) -> Answer<()> {
        self.enter()?;
        if let Err(refused) = self.grants.state() {
            return Ok(Err(StateError::Denied(self.refuse("keep state", refused))));
        }
        if key.len() > KEY || key.chars().any(char::is_control) {
            return Ok(Err(StateError::QuotaExceeded(format!(
                "a state key has at most {KEY} bytes and no control characters"
            ))));
        }
        Ok(Ok(()))
    }

    fn stage(&mut self, scope: Scope, key: String, op: StateOp, expect: Expect) -> Result<u64, StateError> {
        if key.is_empty() {
            return Err(StateError::QuotaExceeded("a state key must not be empty".to_owned()));
        }
        let limits = &self.call.limits;
        if let StateOp::Set { value, .. } = &op
            && value.len() > limits.state_value_bytes
        {
            return Err(StateError::QuotaExceeded(format!(
                "the value has {} bytes; the limit is {}: keep large data in artifacts",
                value.len(),
                limits.state_value_bytes
            )));
        }
        self.staged.put(scope_in(scope), key, op, expect, (limits.state_writes, limits.state_bytes)).map_err(|full| {
            StateError::QuotaExceeded(match full {
                Full::Keys(limit) => format!("a step writes at most {limit} state keys"),
                Full::Bytes(limit) => format!("a step writes at most {limit} bytes of state"),
            })
        })
    }

    /// The entry as this step sees it.
    async fn visible(&mut self, scope: StateScope, key: &str) -> Result<Visible, StateError> {
        let host = self.host.clone();
        let committed = host.state_get(scope, key).await.map_err(|reason| StateError::Storage(reason.to_string()))?;
        let base = committed.as_ref().map_or(0, |entry| entry.version);
        let entry = match self.staged.get(scope, key) {
            None => committed.map(|entry| Entry { value: entry.value, version: entry.version }),
            Some(write) => match &write.op {
                StateOp::Delete => None,
                StateOp::Set { value, .. } => {
                    Some(Entry { value: value.clone(), version: base.saturating_add(write.generation) })
                }
            },
        };
        Ok(Visible { entry, base })
    }
}

impl Host for CallData {
    async fn get(&mut self, scope: Scope, key: String) -> Answer<Option<Entry>> {
        if let Err(error) = self.enter_state(&key)? {
            return Ok(Err(error));
        }
        Ok(self.visible(scope_in(scope), &key).await.map(|visible| visible.entry))
    }

    fn set(&mut self, scope: Scope, key: String, value: Vec<u8>, ttl_ms: Option<u64>) -> Answer<()> {
        if let Err(error) = self.enter_state(&key)? {
            return Ok(Err(error));
        }
        Ok(self.stage(scope, key, StateOp::Set { value, ttl_ms }, Expect::Any).map(|_| ()))
    }

    async fn compare_and_set(
        &mut self,
        scope: Scope,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
    ) -> Answer<u64> {
        if let Err(error) = self.enter_state(&key)? {
            return Ok(Err(error));
        }
        let at = scope_in(scope);
        let Visible { entry, base } = match self.visible(at, &key).await {
            Ok(visible) => visible,
            Err(error) => return Ok(Err(error)),
        };
        if entry.map(|entry| entry.version) != expected {
            return Ok(Err(StateError::Conflict));
        }
        // A key that this call has written before was compared with its own write; the commit checks what the first
        // write relied on.
        let expect = match expected {
            _ if self.staged.get(at, &key).is_some() => Expect::Any,
            Some(version) => Expect::Version(version),
            None => Expect::Absent,
        };
        let staged = self.stage(scope, key, StateOp::Set { value, ttl_ms: None }, expect);
        Ok(staged.map(|generation| base.saturating_add(generation)))
    }

    fn delete(&mut self, scope: Scope, key: String) -> Answer<()> {
        if let Err(error) = self.enter_state(&key)? {
            return Ok(Err(error));
        }
        Ok(self.stage(scope, key, StateOp::Delete, Expect::Any).map(|_| ()))
    }

    async fn list_keys(&mut self, scope: Scope, prefix: String, after: Option<String>, limit: u32) -> Answer<Page> {
        for text in [Some(&prefix), after.as_ref()].into_iter().flatten() {
            if let Err(error) = self.enter_state(text)? {
                return Ok(Err(error));
            }
        }
        let (scope, limit) = (scope_in(scope), (limit as usize).clamp(1, PAGE));
        let host = self.host.clone();
        let mut position = after;
        let mut keys = Vec::new();
        // Deleted keys can empty a page of committed ones: go on until the page is full or nothing is left.
        loop {
            let committed = match host.state_list(scope, &prefix, position.as_deref(), limit).await {
                Ok(committed) => committed,
                Err(error) => return Ok(Err(StateError::Storage(error.to_string()))),
            };
            let more = committed.len() >= limit;
            let horizon = committed.last().filter(|_| more).cloned();
            let mut merged = committed.into_iter().map(|key| (key, true)).collect::<std::collections::BTreeMap<_, _>>();
            for (key, set) in self.staged.range(scope, &prefix, position.as_deref()) {
                // Beyond the page's last committed key, committed ones may come that sort before a staged one.
                if horizon.as_deref().is_some_and(|horizon| key > horizon) {
                    break;
                }
                merged.insert(key.to_owned(), set);
            }
            keys.extend(merged.into_iter().filter_map(|(key, set)| set.then_some(key)));
            if keys.len() > limit {
                keys.truncate(limit);
                let next = keys.last().cloned();
                return Ok(Ok(Page { keys, next }));
            }
            match horizon {
                None => return Ok(Ok(Page { keys, next: None })),
                Some(next) if keys.len() == limit => return Ok(Ok(Page { keys, next: Some(next) })),
                // The host promises keys after `position`; one that breaks the promise must not make this a loop.
                Some(next) if position.as_ref().is_some_and(|position| next <= *position) => {
                    return Ok(Err(StateError::Storage("the store lists keys out of order".to_owned())));
                }
                Some(next) => position = Some(next),
            }
        }
    }
}

fn scope_in(scope: Scope) -> StateScope {
    match scope {
        Scope::Step => StateScope::Step,
        Scope::Workflow => StateScope::Workflow,
    }
}
