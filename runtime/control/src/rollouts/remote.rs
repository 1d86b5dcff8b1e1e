//! Rollouts over the socket of a node.

use hyper::{Method, body::Bytes};
use trackside_node::{RolloutDocument, Say};

use super::{StartRollout, word_of};
use crate::{Client, ClientError, models::quoted};

impl Client {
    /// Begins a rollout.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn start_rollout(&self, wanted: &StartRollout) -> Result<RolloutDocument, ClientError> {
        self.quick("/v1/rollouts", self.json(wanted)?).await
    }

    /// Promotes, aborts, holds or resumes the rollout of a model.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn say_rollout(&self, model: &str, say: Say) -> Result<RolloutDocument, ClientError> {
        self.quick(&format!("/v1/rollouts/{}/{}", quoted(model), word_of(say)), Bytes::new()).await
    }

    /// Rollouts, the newest first.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn rollouts(&self) -> Result<Vec<RolloutDocument>, ClientError> {
        let answer =
            tokio::time::timeout(crate::client::QUICK, self.ask(Method::GET, "/v1/rollouts", Bytes::new())).await;
        answer.unwrap_or_else(|_| Err(self.lost("it does not answer")))
    }

    /// The rollout of this number, or the last one of this model.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn rollout(&self, which: &str) -> Result<RolloutDocument, ClientError> {
        let path = format!("/v1/rollouts/{}", quoted(which));
        let answer = tokio::time::timeout(crate::client::QUICK, self.ask(Method::GET, &path, Bytes::new())).await;
        answer.unwrap_or_else(|_| Err(self.lost("it does not answer")))
    }
}
