//! How many may be connected: so many who ask, and so many who wait for something.
//!
//! Who waits holds a connection for as long as that takes. They have places of their own, so that they keep out nobody who is
//! answered at once.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of those who ask; one more waits until another ends.
const ASKING: usize = 64;
/// Connections of those who wait for the end of a run or follow its events; one more is told so.
const WAITING: usize = 256;

/// The places of an address.
pub(crate) struct Places {
    asking: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        Self { asking: Arc::new(Semaphore::new(ASKING)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

impl Places {
    /// A place for a connection, once there is one.
    pub(crate) async fn next(&self) -> Option<Place> {
        let held = self.asking.clone().acquire_owned().await.ok()?;
        Some(Place { held: Arc::new(Mutex::new(Held { _place: held, waits: false })), waiting: self.waiting.clone() })
    }
}

/// The place of a connection, until that ends.
#[derive(Clone)]
pub(crate) struct Place {
    held: Arc<Mutex<Held>>,
    waiting: Arc<Semaphore>,
}

struct Held {
    _place: OwnedSemaphorePermit,
    waits: bool,
}

impl Place {
    /// Makes the connection one of those that wait, for good: who waited once will again. Says whether there was a place.
    pub(crate) fn wait(&self) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.waits
            && let Ok(place) = self.waiting.clone().try_acquire_owned()
        {
            *held = Held { _place: place, waits: true };
        }
        held.waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_takes_no_place_of_those_who_ask() {
        let places = Places::default();
        let mut waiting = Vec::new();
        for _ in 0..WAITING {
            let place = places.next().await.unwrap();
            assert!(place.wait() && place.wait(), "it has its place already");
            waiting.push(place);
        }
        let more = places.next().await.unwrap();
        assert!(!more.wait());
        assert_eq!(places.asking.available_permits(), ASKING - 1);
        waiting.pop();
        assert!(more.wait());
        assert_eq!(places.asking.available_permits(), ASKING);
    }
}
