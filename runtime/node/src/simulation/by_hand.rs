//! A broker's client that the simulation plays.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, Sender, channel},
};

use trackside_outbox::{Publication, Publish, Sent};

/// The side that the outbox sees: one broker, which is away at first.
pub struct Line {
    name: String,
    connected: Arc<AtomicBool>,
    publications: Sender<Publication>,
}

/// The other end of the line.
pub struct ByHand {
    connected: Arc<AtomicBool>,
    publications: Receiver<Publication>,
}

impl ByHand {
    pub fn new(name: &str) -> (Line, Self) {
        let (connected, (sender, publications)) = (Arc::new(AtomicBool::new(false)), channel());
        let line = Line { name: name.to_owned(), connected: connected.clone(), publications: sender };
        (line, Self { connected, publications })
    }

    /// Whether it is there from now on.
    pub fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Release);
    }

    /// The next publication that was handed over.
    pub fn next(&mut self) -> Option<Publication> {
        loop {
            let publication = self.publications.try_recv().ok()?;
            if self.connected.load(Ordering::Acquire) {
                return Some(publication);
            }
            (publication.done)(Sent::Lost);
        }
    }
}

impl Publish for Line {
    fn publish(&self, broker: &str, publication: Publication) -> Result<(), Publication> {
        if broker != self.name || !self.connected.load(Ordering::Acquire) {
            return Err(publication);
        }
        self.publications.send(publication).map_err(|unsent| unsent.0)
    }
}
