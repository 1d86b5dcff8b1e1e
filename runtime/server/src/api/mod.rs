//! The API's pages.

mod approvals;
mod control;
mod events;
mod reload;
mod runs;
mod sight;
mod status;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::sync::watch;
use trackside_control::user_name;
use trackside_node::Handle;

use crate::error::ApiError;

/// What every page needs.
pub(crate) struct Shared {
    /// The node.
    pub(crate) handle: Handle,
    /// When the server came up.
    pub(crate) started: Instant,
    /// Becomes true when the server goes down.
    pub(crate) closing: watch::Receiver<bool>,
}

/// Who is at the other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    /// The user's number, as the kernel says.
    pub(crate) uid: Option<u32>,
}

impl Peer {
    /// The name that the box knows the user by, for the journal.
    async fn name(&self) -> String {
        let Some(uid) = self.uid else { return "unknown".to_owned() };
        tokio::task::spawn_blocking(move || user_name(uid)).await.unwrap_or_else(|_| format!("uid {uid}"))
    }
}

/// All pages.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/runs", post(runs::start))
        .route("/v1/runs/{id}/events", get(events::follow))
        .route("/v1/runs/{id}/approvals/{step}", post(approvals::post))
        .route("/v1/runs/{id}/cancel", post(control::cancel))
        .route("/v1/runs/{id}/pause", post(control::pause))
        .route("/v1/runs/{id}/resume", post(control::resume))
        .route("/v1/runs/{id}/retry", post(control::retry))
        .route("/v1/triggers/pause", post(control::pause_one))
        .route("/v1/triggers/resume", post(control::resume_one))
        .route("/v1/triggers/sight", post(sight::post))
        .route("/v1/reload", post(reload::post))
        .route("/v1/status", get(status::status))
        .fallback(async || ApiError::no_such_path())
        .method_not_allowed_fallback(async || ApiError::no_such_method())
        .with_state(shared)
}
