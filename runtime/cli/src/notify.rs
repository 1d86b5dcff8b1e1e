//! Talks to the service manager, from a thread of its own.
//!
//! A manager that does not read its socket makes the sender wait; that must never hold up the node. Where nobody
//! listens (`NOTIFY_SOCKET` is not set) there is no thread either.

use std::{
    env,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use sd_notify::NotifyState;

/// Notices that may wait.
const WAITING: usize = 8;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Everything is up.
    Ready,
    /// All is well.
    Alive,
    /// It is ending.
    Stopping,
}

/// The line to the service manager.
pub struct Notifier(Option<SyncSender<(Moment, String)>>);

impl Notifier {
    /// Opens the line, if there is anybody at its end.
    pub fn start() -> Self {
        if env::var_os("NOTIFY_SOCKET").is_none() {
            return Self(None);
        }
        let (notices, told) = sync_channel(WAITING);
        // Nobody waits for this thread: it may hang in the system for as long as the manager likes.
        let thread = std::thread::Builder::new().name("notify".to_owned()).spawn(move || tell(&told));
        if let Err(error) = &thread {
            tracing::error!(%error, "the service manager will hear nothing");
        }
        Self(thread.is_ok().then_some(notices))
    }

    /// Tells the manager; what it does not take in time is dropped.
    pub fn tell(&self, moment: Moment, status: impl Into<String>) {
        if let Some(notices) = &self.0 {
            // Full: the manager is stuck, and one notice more would not help it.
            let _ = notices.try_send((moment, status.into()));
        }
    }
}

fn tell(notices: &Receiver<(Moment, String)>) {
    for (moment, status) in notices {
        let moment = match moment {
            Moment::Ready => NotifyState::Ready,
            Moment::Alive => NotifyState::Watchdog,
            Moment::Stopping => NotifyState::Stopping,
        };
        if let Err(error) = sd_notify::notify(&[moment, NotifyState::Status(&status)]) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}
