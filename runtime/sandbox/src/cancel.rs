//! Asking a running step to stop.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// A switch that is thrown once. Clones share it.
///
/// The guest sees it as `context.cancelled`; after [`CallLimits::cancel_grace`](crate::CallLimits::cancel_grace) the
/// call is ended by force.
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    thrown: OnceLock<Instant>,
    notify: Notify,
}

impl CancelToken {
    /// A token that nobody has thrown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Throws the switch. Later calls do nothing.
    pub fn cancel(&self) {
        if self.inner.thrown.set(Instant::now()).is_ok() {
            self.inner.notify.notify_waiters();
        }
    }

    /// Whether the switch was thrown.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.inner.thrown.get().is_some()
    }

    /// How long ago the switch was thrown.
    #[must_use]
    pub fn since(&self) -> Option<Duration> {
        self.inner.thrown.get().map(Instant::elapsed)
    }

    /// Resolves when the switch is thrown, at once if it was before.
    pub async fn cancelled(&self) {
        let mut notified = std::pin::pin!(self.inner.notify.notified());
        // Registered before the flag is read, so that a throw between the two is not missed.
        notified.as_mut().enable();
        if !self.is_cancelled() {
            notified.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_wakes_whether_it_came_before_or_after_the_throw() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let token = CancelToken::new();
            let early = tokio::spawn({
                let token = token.clone();
                async move { token.cancelled().await }
            });
            tokio::task::yield_now().await;
            token.cancel();
            early.await.unwrap();
            token.cancelled().await;
            assert!(token.is_cancelled());
        });
    }
}
