//! Small values that outlive the run. Writes become durable together with the step's result, or not at all.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    StepError,
    host::state::{self, Scope},
};

/// A key-value store; values are JSON unless the `_bytes` functions are used.
#[derive(Debug, Clone, Copy)]
pub struct State {
    scope: Scope,
}

impl State {
    pub(crate) fn new(scope: Scope) -> Self {
        Self { scope }
    }

    /// The value of `key`, if there is one.
    ///
    /// # Errors
    /// `denied` without the grant; `bad-state` when the stored value is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StepError> {
        let Some(bytes) = self.get_bytes(key)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| bad_state(key, &error))
    }

    /// Stages a new value for `key`.
    ///
    /// # Errors
    /// `denied` without the grant, `quota-exceeded` for a large value.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), StepError> {
        self.set_bytes(key, &serde_json::to_vec(value)?)
    }

    /// Stages a new value that is forgotten after `lifetime`.
    ///
    /// # Errors
    /// As [`State::set`].
    pub fn set_for<T: Serialize + ?Sized>(&self, key: &str, value: &T, lifetime: Duration) -> Result<(), StepError> {
        let ttl = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        Ok(state::set(self.scope, key, &serde_json::to_vec(value)?, Some(ttl))?)
    }

    /// Reads, changes and writes back in one go; fails rather than overwrite a change made meanwhile.
    ///
    /// # Errors
    /// `state-conflict` (retryable) when another run changed the value meanwhile; whatever `change` returns; as
    /// [`State::get`] and [`State::set`].
    pub fn update<T, R>(&self, key: &str, change: impl FnOnce(&mut T) -> Result<R, StepError>) -> Result<R, StepError>
    where
        T: Serialize + DeserializeOwned + Default,
    {
        let entry = state::get(self.scope, key)?;
        let version = entry.as_ref().map(|entry| entry.version);
        let mut value = match entry {
            Some(entry) => serde_json::from_slice(&entry.value).map_err(|error| bad_state(key, &error))?,
            None => T::default(),
        };
        let result = change(&mut value)?;
        state::compare_and_set(self.scope, key, version, &serde_json::to_vec(&value)?)?;
        Ok(result)
    }

    /// The raw bytes of `key`.
    ///
    /// # Errors
    /// `denied` without the grant.
    pub fn get_bytes(&self, key: &str) -> Result<Option<Vec<u8>>, StepError> {
        Ok(state::get(self.scope, key)?.map(|entry| entry.value))
    }

    /// Stages raw bytes for `key`.
    ///
    /// # Errors
    /// As [`State::set`].
    pub fn set_bytes(&self, key: &str, value: &[u8]) -> Result<(), StepError> {
        Ok(state::set(self.scope, key, value, None)?)
    }

    /// Stages the removal of `key`; nothing happens when it does not exist.
    ///
    /// # Errors
    /// `denied` without the grant.
    pub fn remove(&self, key: &str) -> Result<(), StepError> {
        Ok(state::delete(self.scope, key)?)
    }

    /// All keys that start with `prefix`, sorted. Pages are fetched until the end.
    ///
    /// # Errors
    /// `denied` without the grant.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>, StepError> {
        const PAGE: u32 = 256;
        let mut keys = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = state::list_keys(self.scope, prefix, after.as_deref(), PAGE)?;
            keys.extend(page.keys);
            match page.next {
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(keys),
            }
        }
    }
}

fn bad_state(key: &str, error: &serde_json::Error) -> StepError {
    StepError::fatal("bad-state", format!("the stored value of `{key}` has another form than expected: {error}"))
}
