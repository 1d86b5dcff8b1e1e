//! Locks that outlive a panic of their holder.
//!
//! A panic in one step, one file or one connection must not take the others with it, so a poisoned lock is taken as it is.
//! What they guard must therefore be valid at every instant at which its holder may panic: a map into which something is
//! put whole, a list, a flag. (Locks of another crate that know no poison would say the same with one more dependency.)

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

/// Locks `mutex`, also after another holder panicked.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for reading, also after a writer panicked.
pub fn read<T: ?Sized>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing, also after another writer panicked.
pub fn write<T: ?Sized>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notification, at most for `patience`; for ever without one. It may come back for no reason.
pub fn wait<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>, patience: Option<Duration>) -> MutexGuard<'a, T> {
    match patience {
        None => changed.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(patience) => changed.wait_timeout(guard, patience).unwrap_or_else(PoisonError::into_inner).0,
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_lock_is_taken_after_its_holder_panicked() {
        let (mutex, both) = (Arc::new(Mutex::new(1)), Arc::new(RwLock::new(2)));
        let (its, theirs) = (mutex.clone(), both.clone());
        let ended = thread::spawn(move || {
            let _held = (its.lock(), theirs.write());
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(ended.join().is_err() && mutex.is_poisoned() && both.is_poisoned());
        *write(&both) += *lock(&mutex);
        assert_eq!(*read(&both), 3);
        assert_eq!(*wait(&Condvar::new(), lock(&mutex), Some(Duration::ZERO)), 1);
    }
}
