//! What ends a run before its own end: a deadline, or somebody who cancels.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::sync::lock;

type Action = Arc<dyn Fn() + Send + Sync>;

/// A flag that one side raises once and the other side is told of, without polling. Clones are the same flag.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    hooks: Mutex<Hooks>,
}

#[derive(Default)]
struct Hooks {
    next: u64,
    list: BTreeMap<u64, Action>,
}

impl CancelToken {
    /// A token that nobody has cancelled.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag and calls every hook, on this thread. Later calls do nothing.
    pub fn cancel(&self) {
        if self.0.cancelled.swap(true, Ordering::SeqCst) {
            return;
        }
        // Called outside the lock: a hook may drop its own guard.
        let actions: Vec<Action> = lock(&self.0.hooks).list.values().cloned().collect();
        for action in actions {
            action();
        }
    }

    /// Whether the flag is up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Has `action` called when the flag goes up, at once when it is up already; not after the guard is dropped,
    /// except for a call that has begun. The action must be short: it runs on the canceller's thread.
    #[must_use = "the hook is removed when the guard is dropped"]
    pub fn on_cancel(&self, action: impl Fn() + Send + Sync + 'static) -> CancelHook {
        let action: Action = Arc::new(action);
        let id = {
            let mut hooks = lock(&self.0.hooks);
            let id = hooks.next;
            hooks.next += 1;
            hooks.list.insert(id, Arc::clone(&action));
            id
        };
        // Registered first, looked second: a cancel in between calls the hook twice rather than never.
        if self.is_cancelled() {
            action();
        }
        CancelHook { token: self.clone(), id }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("cancelled", &self.is_cancelled()).finish_non_exhaustive()
    }
}

/// Removes its hook when dropped.
#[derive(Debug)]
pub struct CancelHook {
    token: CancelToken,
    id: u64,
}

impl Drop for CancelHook {
    fn drop(&mut self) {
        lock(&self.token.0.hooks).list.remove(&self.id);
    }
}

/// When a run must end, whatever it has reached.
#[derive(Clone, Copy, Debug)]
pub struct Stop<'a> {
    /// The instant at which it is stopped; `None` = never.
    pub deadline: Option<Instant>,
    /// Raised to stop it earlier.
    pub cancel: &'a CancelToken,
}

impl Stop<'_> {
    /// Whether it is time, and why. Cancelling wins over the deadline.
    #[must_use]
    pub fn check(&self) -> Option<Stopped> {
        if self.cancel.is_cancelled() {
            Some(Stopped::Cancelled)
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Stopped::Deadline)
        } else {
            None
        }
    }
}

/// Why a run was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Its time was over.
    Deadline,
    /// Its token was cancelled.
    Cancelled,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn hooks_are_called_once_and_not_after_they_are_dropped() {
        let (kept, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let token = CancelToken::new();
        let count = |to: &Arc<AtomicUsize>| {
            let to = Arc::clone(to);
            move || {
                to.fetch_add(1, Ordering::SeqCst);
            }
        };
        let _kept = token.on_cancel(count(&kept));
        drop(token.on_cancel(count(&dropped)));
        token.cancel();
        token.cancel();
        assert_eq!((kept.load(Ordering::SeqCst), dropped.load(Ordering::SeqCst)), (1, 0));
    }

    #[test]
    fn a_hook_on_a_cancelled_token_is_called_at_once() {
        let token = CancelToken::new();
        token.clone().cancel();
        let called = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&called);
        let _hook = token.on_cancel(move || seen.store(true, Ordering::SeqCst));
        assert!(called.load(Ordering::SeqCst));
        assert_eq!(Stop { deadline: None, cancel: &token }.check(), Some(Stopped::Cancelled));
    }
}
