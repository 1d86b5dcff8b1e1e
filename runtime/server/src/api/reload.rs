//! Reading the workflow files now.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use trackside_control::{FileProblem, ReloadDocument, WorkflowChange};
use trackside_node::NodeError;

use super::{Peer, Shared};
use crate::error::ApiError;

/// `POST /v1/reload`: what is right is in use when the answer comes, and the answer says what is not.
pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
) -> Result<Json<ReloadDocument>, ApiError> {
    let reloaded = shared.handle.reload(&peer.name().await).await.map_err(|error| match error {
        NodeError::Reload(reason) => ApiError::internal(reason),
        _ => ApiError::closing(),
    })?;
    Ok(Json(ReloadDocument {
        changes: reloaded.changes.into_iter().map(WorkflowChange::from).collect(),
        problems: FileProblem::of(&reloaded.now.project),
        config_note: reloaded.now.config_note.clone(),
    }))
}
