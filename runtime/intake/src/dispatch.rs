//! The dispatcher as this room sees it, and the one way to ask it something.

use trackside_codes::{Class, Reason};
use trackside_store::Txn;

use crate::wish::{Fire, Reply};

/// Whoever decides about wishes and has rows written.
pub trait Dispatch: Send + Sync {
    /// Asks for a run; `reply` is called once with the answer, or dropped when there will be none.
    ///
    /// # Errors
    /// When the node is going down.
    fn fire(&self, fire: Fire, reply: Reply) -> Result<(), GoingDown>;

    /// Has rows written; `done` is called when they are on disk.
    ///
    /// # Errors
    /// When the node is going down.
    fn keep(&self, txn: Txn, done: Box<dyn FnOnce() + Send>) -> Result<(), GoingDown>;

    /// What has this identity has left its place: the ledger's row says so from now on.
    ///
    /// # Errors
    /// When the node is going down.
    fn claimed(&self, trigger: &str, identity: &str) -> Result<(), GoingDown>;
}

/// The dispatcher answers no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is going down")]
pub struct GoingDown;

/// Sends a question and waits for its answer. Nobody hears the answer any more when this is given up.
///
/// # Errors
/// When the node is going down.
pub async fn ask<T: Send + 'static>(
    send: impl FnOnce(Box<dyn FnOnce(T) + Send>) -> Result<(), GoingDown>,
) -> Result<T, GoingDown> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    send(Box::new(move |told| drop(reply.send(told))))?;
    answer.await.map_err(|_| GoingDown)
}

/// The same for a thread of its own, which waits.
///
/// # Errors
/// When the node is going down.
pub fn ask_and_wait<T: Send + 'static>(
    send: impl FnOnce(Box<dyn FnOnce(T) + Send>) -> Result<(), GoingDown>,
) -> Result<T, GoingDown> {
    let (reply, answer) = std::sync::mpsc::channel();
    // The thread waits below: only its end can make this fail.
    send(Box::new(move |told| drop(reply.send(told))))?;
    answer.recv().map_err(|_| GoingDown)
}

/// For tasks whose errors are lines for the log.
impl From<GoingDown> for Reason {
    fn from(error: GoingDown) -> Self {
        Self::by(Class::Unavailable, error)
    }
}
