//! How much of what clients send may be in memory at one time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;

/// Room for so many bytes, counted in KiB.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new((bytes / 1024).clamp(1, Semaphore::MAX_PERMITS))))
    }

    /// None of it yet.
    pub(crate) fn none(&self) -> Held {
        Held { room: self.0.clone(), permit: None, bytes: 0 }
    }
}

/// What one request holds of it, until it is dropped.
pub(crate) struct Held {
    room: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Held {
    /// Room for so many bytes more. What came is counted, and not what is announced: nobody who sends nothing keeps others out.
    ///
    /// # Errors
    /// TS-0757 when there is none.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes += bytes;
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(self.bytes.div_ceil(1024).saturating_sub(held)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let permit = self.room.clone().try_acquire_many_owned(more).map_err(|_| Failure::too_many())?;
        match &mut self.permit {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }
}

impl Held {
    /// Gives all of it back: what follows from it is counted anew.
    pub(crate) fn clear(&mut self) {
        (self.bytes, self.permit) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_back_and_more_than_all_is_refused() {
        let room = Room::new(4096);
        let mut held = room.none();
        held.take(1).unwrap();
        held.take(3000).unwrap();
        assert_eq!(room.none().take(2048).unwrap_err().status(), 429);
        room.none().take(1024).unwrap();
        held.clear();
        held.take(1024).unwrap();
        drop(held);
        room.none().take(4096).unwrap();
    }
}
