//! The thread that keeps what models in service teach, and decides by it: windows of drift, predictions that wait for their truth,
//! rollouts. Asleep until something is to be kept.
//!
//! What is decided is on disk before anybody acts by it. What is only counted is kept now and then: flash wears by the commit.

mod drift;
mod feedback;
mod rollouts;
mod samples;
mod workflows;

pub use samples::{SAMPLES_FOLDER, sample_file};

use std::{sync::Arc, thread::JoinHandle, time::Duration};

use trackside_serving::{Bell, Serving};
use trackside_store::Write;

use crate::node::{Handle, NodeError};

/// What is kept of one kind.
trait Part: Send {
    /// Takes what is to be kept now and keeps it. Gives how long it may sleep; none is until the bell rings.
    ///
    /// # Errors
    /// When the node is going down, or the database refuses: it is tried again.
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError>;

    /// The last round of a node that ends: what is only counted is kept, too.
    ///
    /// # Errors
    /// As of a round.
    fn end(&mut self, tools: &Tools) -> Result<(), NodeError>;
}

/// What the parts work with.
pub(crate) struct Tools {
    handle: Handle,
}

impl Tools {
    /// The node.
    fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The models in service.
    fn serving(&self) -> &Serving {
        self.handle.workshop().models.serving()
    }

    /// The data folder.
    fn data_dir(&self) -> std::path::PathBuf {
        self.handle.project().data_dir()
    }

    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64 {
        self.handle.workshop().clock.now_ms()
    }

    /// Rows that go together; they are on disk when this ends.
    fn keep(&self, writes: Vec<Write>) -> Result<(), NodeError> {
        if writes.is_empty() { Ok(()) } else { self.handle.keep(writes) }
    }
}

/// After a trouble it is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);

/// The thread.
pub(crate) struct Keeper {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Begins.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(handle: Handle) -> std::io::Result<Self> {
        let tools = Tools { handle };
        let bell = tools.serving().bell().clone();
        let parts: Vec<Box<dyn Part>> = vec![
            Box::new(drift::Windows::default()),
            Box::new(feedback::Predictions::default()),
            Box::new(samples::Samples::default()),
            Box::new(rollouts::Rollouts::default()),
            Box::new(workflows::Workflows::default()),
        ];
        let rung = bell.clone();
        let work = move || work(&tools, parts, &rung);
        let thread = std::thread::Builder::new().name("model-keeper".to_owned()).spawn(work)?;
        Ok(Self { bell, thread: Some(thread) })
    }

    /// Keeps what there is, and ends.
    pub(crate) fn close(&mut self) {
        self.bell.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.close();
    }
}

fn work(tools: &Tools, mut parts: Vec<Box<dyn Part>>, bell: &Bell) {
    loop {
        let mut sleep: Option<Duration> = None;
        for part in &mut parts {
            let next = part.round(tools).unwrap_or_else(|error| {
                if !matches!(error, NodeError::Closed) {
                    tracing::warn!("what models taught can not be kept, and is tried again: {error}");
                }
                Some(AGAIN)
            });
            sleep = [sleep, next].into_iter().flatten().min();
        }
        if !bell.wait(sleep) {
            break;
        }
    }
    for part in &mut parts {
        if let Err(error) = part.end(tools) {
            tracing::warn!("what models taught since it was kept last is lost: {error}");
        }
    }
}
