//! What every kind of intake works with.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use trackside_codes::{Class, Reason};
use trackside_net::{SecretProblem, read_secret};
use trackside_spec::NodeConfig;
use trackside_store::{Artifacts, Clock, Readers, Txn, Write};

use crate::{
    dispatch::{Dispatch, GoingDown, ask},
    files::Pauses,
    wish::{Fire, FireAnswer},
};

/// Whether an address is one that the node itself listens on: nothing asks there.
pub type OwnAddress = Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>;

/// Takes a message with labels, and who sent it; what it says is on disk when this ends, but what was refused, which is given in words.
/// It blocks.
pub type TakeLabels = Arc<dyn Fn(&[u8], &str) -> Result<Vec<String>, GoingDown> + Send + Sync>;

/// What an intake reads, asks and hands over to.
#[derive(Clone)]
pub struct Tools {
    /// To the dispatcher.
    pub dispatch: Arc<dyn Dispatch>,
    /// What is committed.
    pub readers: Arc<Readers>,
    /// Where content goes.
    pub artifacts: Arc<Artifacts>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// `trackside.toml`.
    pub config: Arc<NodeConfig>,
    /// The project's folder.
    pub project: PathBuf,
    /// Triggers that are paused.
    pub pauses: Arc<Pauses>,
    /// The node's own listeners.
    pub own: OwnAddress,
    /// Who takes labels of predictions.
    pub labels: TakeLabels,
}

impl Tools {
    /// A secret of the box. It is read anew for each use, so that it can be replaced.
    pub(crate) fn secret(&self, name: &str) -> Result<Vec<u8>, SecretProblem> {
        Ok(read_secret(&self.config, &self.project, name)?.value)
    }

    /// Asks for a run and waits for the answer.
    pub(crate) async fn fire(&self, fire: Fire) -> Result<FireAnswer, GoingDown> {
        ask(|reply| self.dispatch.fire(fire, reply)).await
    }

    /// Writes rows and waits until they are on disk.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Result<(), GoingDown> {
        ask(|done| self.dispatch.keep(Txn::of(writes), Box::new(move || done(())))).await
    }
}

/// Does something that blocks beside what must not.
///
/// # Errors
/// When it panicked, or the runtime ends.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Reason> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Reason::by(Class::Bug, error))
}
