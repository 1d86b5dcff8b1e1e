//! A fixed set of things that one caller at a time may use each of: sessions, worker threads.

use std::sync::{Arc, Condvar, Mutex};

use trackside_sync::{lock, wait};

use crate::stop::{Stop, Stopped, left};

/// The set. Its size never changes, so the memory that a loaded model takes is known when it is loaded.
pub(crate) struct Pool<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    size: usize,
}

struct State<T> {
    free: Vec<T>,
    /// Callers that wait for one: telling nobody is a call of the system all the same.
    waiting: usize,
}

impl<T: Send + 'static> Pool<T> {
    /// A pool of `items`.
    pub(crate) fn new(items: Vec<T>) -> Arc<Self> {
        Arc::new(Self {
            size: items.len(),
            state: Mutex::new(State { free: items, waiting: 0 }),
            changed: Condvar::new(),
        })
    }

    /// How many items there are, free or not.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// How many items are in use at this instant.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.size - lock(&self.state).free.len()
    }

    /// Waits for a free item, at most until `stop`.
    pub(crate) fn take(self: &Arc<Self>, stop: Stop<'_>) -> Result<Lease<T>, Stopped> {
        if let Some(stopped) = stop.check() {
            return Err(stopped);
        }
        // The last one given back is the one whose memory is warm.
        if let Some(item) = lock(&self.state).free.pop() {
            return Ok(Lease { pool: Arc::clone(self), item: Some(item) });
        }
        let waker = Arc::clone(self);
        let _hook = stop.cancel.on_cancel(move || {
            // Taking the lock closes the gap between a waiter's look at the flag and its wait.
            drop(lock(&waker.state));
            waker.changed.notify_all();
        });
        let mut state = lock(&self.state);
        loop {
            if let Some(item) = state.free.pop() {
                return Ok(Lease { pool: Arc::clone(self), item: Some(item) });
            }
            if let Some(stopped) = stop.check() {
                return Err(stopped);
            }
            state.waiting += 1;
            state = wait(&self.changed, state, left(stop.deadline));
            state.waiting -= 1;
        }
    }
}

/// An item in use; it goes back when this is dropped.
pub(crate) struct Lease<T> {
    pool: Arc<Pool<T>>,
    item: Option<T>,
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            let mut state = lock(&self.pool.state);
            state.free.push(item);
            let somebody_waits = state.waiting > 0;
            drop(state);
            if somebody_waits {
                self.pool.changed.notify_one();
            }
        }
    }
}

impl<T> Lease<T> {
    /// The item; only a dropped lease has none.
    pub(crate) fn get(&mut self) -> Option<&mut T> {
        self.item.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use trackside_sync::CancelToken;

    use super::*;

    #[test]
    fn waiting_ends_at_the_deadline_and_when_cancelled() {
        let (pool, cancel) = (Pool::new(vec![1u8]), CancelToken::new());
        let forever = Stop { deadline: None, cancel: &cancel };
        let held = pool.take(forever).unwrap();
        assert_eq!(pool.in_use(), 1);
        let soon = Stop { deadline: Some(Instant::now() + Duration::from_millis(20)), cancel: &cancel };
        assert_eq!(pool.take(soon).err(), Some(Stopped::Deadline));
        thread::scope(|scope| {
            let waiter = scope.spawn(|| pool.take(forever).err());
            cancel.cancel();
            assert_eq!(waiter.join().unwrap(), Some(Stopped::Cancelled));
        });
        drop(held);
        assert_eq!(pool.in_use(), 0);
    }

    #[test]
    fn many_callers_share_few_items() {
        let (pool, cancel) = (Pool::new(vec![0u64, 0]), CancelToken::new());
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let mut lease = pool.take(Stop { deadline: None, cancel: &cancel }).unwrap();
                        *lease.get().unwrap() += 1;
                    }
                });
            }
        });
        assert_eq!(lock(&pool.state).free.iter().sum::<u64>(), 8 * 500);
    }
}
