//! Waiting for the end of a run: what is told of it, and where it comes from.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use hyper::{Method, StatusCode, body::Bytes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trackside_engine::{RunEnd, RunError, RunId};
use trackside_node::{
    Handle,
    core::{History, PastEnd},
};
use trackside_store::Reader;

use crate::{Accepted, Client, ClientError, FollowError, StartRun};

/// How a run ended. Its keys are those of the output of a step that runs another workflow, and `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEnded {
    /// Its id.
    pub run: RunId,
    /// How it ended.
    pub state: RunEnd,
    /// What the workflow's `outputs` made; null where it has none, or did not end well.
    pub outputs: Value,
    /// Why it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// What became of a wait.
#[derive(Debug, Clone, PartialEq)]
pub enum Waited {
    /// The run has ended, and that is on disk.
    Ended(RunEnded),
    /// The time was over first.
    UnderWay(RunId),
}

impl Waited {
    /// The run.
    #[must_use]
    pub const fn run(&self) -> RunId {
        match self {
            Self::Ended(ended) => ended.run,
            Self::UnderWay(run) => *run,
        }
    }

    pub(crate) fn new(run: RunId, end: Option<Arc<PastEnd>>) -> Self {
        end.map_or(Self::UnderWay(run), |end| {
            let PastEnd { end: state, error, outputs } = Arc::unwrap_or_clone(end);
            Self::Ended(RunEnded { run, state, outputs, error })
        })
    }
}

/// Waits for the end of a run that was accepted before, until `over` is through. `None` when there is no such run.
///
/// # Errors
/// When the store can not be read or the node is going down.
pub async fn wait_for_end(
    handle: &Handle,
    run: RunId,
    over: impl Future<Output = ()>,
) -> Result<Option<Waited>, FollowError> {
    let look = move |reader: &Reader| match reader.run(run)? {
        Some(_) => History::end_of(reader, run).map(Some),
        None => Ok(None),
    };
    let mut over = pin!(over);
    // It may end between the two questions: then it is on disk, and is asked for a second time. No more often: what the node
    // could not take up has no end here.
    for _ in 0..2 {
        match handle.read(look).await? {
            None => return Ok(None),
            Some(Some(end)) => return Ok(Some(Waited::new(run, Some(Arc::new(end))))),
            Some(None) => {}
        }
        let end = handle.end_of(run)?;
        let end = tokio::select! {
            biased;
            end = end => end.ok(),
            () = &mut over => return Ok(Some(Waited::UnderWay(run))),
        };
        if end.is_some() {
            return Ok(Some(Waited::new(run, end)));
        }
    }
    over.await;
    Ok(Some(Waited::UnderWay(run)))
}

impl Client {
    /// Starts a run and waits for its end so long; a node waits for a minute at most.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn run(&self, request: &StartRun, wait: Duration) -> Result<Waited, ClientError> {
        let path = format!("/v1/runs?wait={}ms", wait.as_millis());
        self.waited(Method::POST, &path, self.json(request)?).await
    }

    /// Waits for the end of a run so long; a node waits for a minute at most.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn wait(&self, run: RunId, wait: Duration) -> Result<Waited, ClientError> {
        let path = format!("/v1/runs/{run}?wait={}ms", wait.as_millis());
        self.waited(Method::GET, &path, Bytes::new()).await
    }

    async fn waited(&self, method: Method, path: &str, body: Bytes) -> Result<Waited, ClientError> {
        let (status, body) = self.answer(method, path, body).await?;
        Ok(if status == StatusCode::ACCEPTED {
            let Accepted { run } = self.document(&body)?;
            Waited::UnderWay(run)
        } else {
            Waited::Ended(self.document(&body)?)
        })
    }
}
