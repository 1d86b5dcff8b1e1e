//! Asking work to stop.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::locks::lock;

/// A switch that is thrown once. Clones are the same switch.
///
/// Who works looks ([`is_cancelled`](Self::is_cancelled)), waits ([`cancelled`](Self::cancelled)), or leaves something
/// to be called ([`on_cancel`](Self::on_cancel)); nobody polls.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    thrown: OnceLock<Instant>,
    waiting: Mutex<Waiting>,
}

/// Who is told, by number.
#[derive(Default)]
struct Waiting {
    next: u64,
    list: BTreeMap<u64, Told>,
}

#[derive(Clone)]
enum Told {
    Call(Arc<dyn Fn() + Send + Sync>),
    Wake(Waker),
}

impl CancelToken {
    /// A token that nobody has thrown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Throws the switch and tells everybody who waits, on this thread. Later calls do nothing.
    pub fn cancel(&self) {
        if self.0.thrown.set(Instant::now()).is_err() {
            return;
        }
        // Told outside the lock: what is called may drop its own guard.
        let told: Vec<Told> = lock(&self.0.waiting).list.values().cloned().collect();
        for told in told {
            match told {
                Told::Call(action) => action(),
                Told::Wake(waker) => waker.wake(),
            }
        }
    }

    /// Whether the switch was thrown.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.thrown.get().is_some()
    }

    /// How long ago the switch was thrown.
    #[must_use]
    pub fn since(&self) -> Option<Duration> {
        self.0.thrown.get().map(Instant::elapsed)
    }

    /// Resolves when the switch is thrown, at once if it was before. Any runtime may wait for it.
    #[must_use = "a future does nothing unless it is awaited"]
    pub fn cancelled(&self) -> Cancelled<'_> {
        Cancelled { token: self, number: None }
    }

    /// Has `action` called when the switch is thrown, at once when it was before; not after the guard is dropped, except
    /// for a call that has begun. The action must be short: it runs on the canceller's thread.
    #[must_use = "the hook is removed when the guard is dropped"]
    pub fn on_cancel(&self, action: impl Fn() + Send + Sync + 'static) -> CancelHook {
        let action: Arc<dyn Fn() + Send + Sync> = Arc::new(action);
        let number = self.tell(Told::Call(action.clone()));
        // Registered first, looked second: a cancel in between calls the hook twice rather than never.
        if self.is_cancelled() {
            action();
        }
        CancelHook { token: self.clone(), number }
    }

    fn tell(&self, told: Told) -> u64 {
        let mut waiting = lock(&self.0.waiting);
        let number = waiting.next;
        waiting.next += 1;
        waiting.list.insert(number, told);
        number
    }

    fn forget(&self, number: u64) {
        lock(&self.0.waiting).list.remove(&number);
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
    number: u64,
}

impl Drop for CancelHook {
    fn drop(&mut self) {
        self.token.forget(self.number);
    }
}

/// Waits for a token. Made by [`CancelToken::cancelled`].
#[derive(Debug)]
pub struct Cancelled<'a> {
    token: &'a CancelToken,
    /// Under which it is told, once it has waited.
    number: Option<u64>,
}

impl Future for Cancelled<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.token.is_cancelled() {
            return Poll::Ready(());
        }
        let told = Told::Wake(context.waker().clone());
        match self.number {
            Some(number) => drop(lock(&self.token.0.waiting).list.insert(number, told)),
            None => self.number = Some(self.token.tell(told)),
        }
        // Registered first, looked second: a throw between the two is not missed.
        if self.token.is_cancelled() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.token.forget(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn count(to: &Arc<AtomicUsize>) -> impl Fn() + Send + Sync + 'static {
        let to = to.clone();
        move || {
            to.fetch_add(1, Ordering::SeqCst);
        }
    }

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
            assert!(token.is_cancelled() && token.since().is_some());
        });
    }

    #[test]
    fn a_throw_from_another_thread_is_never_missed() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..2_000 {
            let token = CancelToken::new();
            let other = token.clone();
            let thread = std::thread::spawn(move || other.cancel());
            runtime.block_on(token.cancelled());
            thread.join().unwrap();
        }
    }

    #[test]
    fn who_has_stopped_waiting_leaves_nothing_behind() {
        let token = CancelToken::new();
        {
            let mut waiting = std::pin::pin!(token.cancelled());
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..3 {
                assert!(waiting.as_mut().poll(&mut context).is_pending());
            }
            assert_eq!(lock(&token.0.waiting).list.len(), 1);
        }
        assert!(lock(&token.0.waiting).list.is_empty());
    }

    #[test]
    fn hooks_are_called_once_and_not_after_they_are_dropped() {
        let (kept, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let token = CancelToken::new();
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
        let called = Arc::new(AtomicUsize::new(0));
        let _hook = token.on_cancel(count(&called));
        assert_eq!(called.load(Ordering::SeqCst), 1);
    }
}
