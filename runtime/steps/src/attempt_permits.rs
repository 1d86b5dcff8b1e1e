//! Where attempts run. The dispatcher hands brief ones over before there is a place for them; here they wait for it.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trackside_sandbox::CancelToken;
use trackside_sync::lock;

/// As many as run at the same time, and of these as many as one workflow gets.
pub struct AttemptPermits {
    all: Arc<Semaphore>,
    share: usize,
    /// By the workflow's name.
    shares: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Attempts of one workflow that run at the same time, on a box with room for so many: a quarter of it no workflow gets alone.
#[must_use]
pub fn share(room: usize) -> usize {
    (room - room / 4).max(1)
}

/// A place. It is free again when this is dropped.
pub struct AttemptPermit {
    _share: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl AttemptPermits {
    /// For so many attempts.
    pub fn new(room: usize) -> Self {
        let room = room.clamp(1, Semaphore::MAX_PERMITS);
        Self { all: Arc::new(Semaphore::new(room)), share: share(room), shares: Mutex::default() }
    }

    /// Waits for a place; `None` when it is cancelled before there is one.
    pub async fn take(&self, workflow: &str, cancel: &CancelToken) -> Option<AttemptPermit> {
        let share = self.share_of(workflow);
        let mut place = pin!(async {
            let share = share.acquire_owned().await.ok()?;
            let place = self.all.clone().acquire_owned().await.ok()?;
            Some(AttemptPermit { _share: share, _place: place })
        });
        let mut cancelled = pin!(cancel.cancelled());
        poll_fn(|context| match place.as_mut().poll(context) {
            Poll::Pending => cancelled.as_mut().poll(context).map(|()| None),
            ready => ready,
        })
        .await
    }

    fn share_of(&self, workflow: &str) -> Arc<Semaphore> {
        let mut shares = lock(&self.shares);
        if let Some(share) = shares.get(workflow) {
            return share.clone();
        }
        let share = Arc::new(Semaphore::new(self.share));
        shares.insert(workflow.to_owned(), share.clone());
        share
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn now<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_workflow_gets_its_share_and_another_one_the_rest() {
        let (permits, cancel) = (AttemptPermits::new(4), CancelToken::new());
        let held: Vec<_> = (0..3).map(|_| now(permits.take("a", &cancel))).collect();
        assert!(held.iter().all(|place| matches!(place, Poll::Ready(Some(_)))));
        assert!(now(permits.take("a", &cancel)).is_pending());
        let other = now(permits.take("b", &cancel));
        assert!(matches!(other, Poll::Ready(Some(_))));
        assert!(now(permits.take("b", &cancel)).is_pending());
        drop(held);
        assert!(matches!(now(permits.take("a", &cancel)), Poll::Ready(Some(_))));
    }

    #[test]
    fn who_is_cancelled_waits_no_longer() {
        let (permits, cancel) = (AttemptPermits::new(1), CancelToken::new());
        let _held = now(permits.take("a", &CancelToken::new()));
        assert!(now(permits.take("a", &cancel)).is_pending());
        cancel.cancel();
        assert!(matches!(now(permits.take("a", &cancel)), Poll::Ready(None)));
    }
}
