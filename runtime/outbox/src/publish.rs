//! The way to a broker.

/// Whoever holds the connections to brokers.
pub trait Publish: Send + Sync {
    /// Hands a publication over; gives it back while the broker is away. What is handed over is sent in that order.
    ///
    /// # Errors
    /// The publication, when it was not taken: the outbox is woken when the broker is there.
    fn publish(&self, broker: &str, publication: Publication) -> Result<(), Publication>;
}

/// A message on its way.
pub struct Publication {
    /// Where it is published.
    pub topic: String,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// User properties.
    pub attributes: Vec<(String, String)>,
    /// Called once, on the thread of the brokers.
    pub done: Box<dyn FnOnce(Sent) + Send>,
}

/// What became of a [`Publication`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The broker has it.
    Acknowledged,
    /// The connection was lost before the broker said so.
    Lost,
    /// The broker can not take it now, and why.
    Later(String),
    /// The broker will never take it, and why.
    Refused(String),
}
