//! The API's pages, a file for each resource: its routes, and what they take and give.

mod approvals;
mod control;
mod drift;
mod emit;
mod events;
mod labels;
mod models;
mod prune;
mod reload;
mod rollouts;
mod routes;
mod runs;
mod status;
mod tokens;
mod triggers;

use std::{sync::Arc, time::Instant};

use axum::Router;
use tokio::sync::{Semaphore, watch};
use trackside_control::user_name;
use trackside_node::Handle;

use crate::prompt::MoreToCome;

use routes::Routes;

/// What every page needs.
pub(crate) struct Shared {
    /// The node.
    pub(crate) handle: Handle,
    /// When the server came up.
    pub(crate) started: Instant,
    /// Places for models that are on their way into the registry.
    pub(crate) adding: Arc<Semaphore>,
    /// Becomes true when the server goes down.
    pub(crate) closing: watch::Receiver<bool>,
}

/// Who is at the other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    /// The user's number, as the kernel says.
    pub(crate) uid: Option<u32>,
    /// How to say that more of a request is to come.
    pub(crate) more: MoreToCome,
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
    resources().serve(shared)
}

fn resources() -> Routes {
    let resources = [
        runs::routes(),
        emit::routes(),
        events::routes(),
        approvals::routes(),
        control::routes(),
        triggers::routes(),
        prune::routes(),
        models::routes(),
        labels::routes(),
        rollouts::routes(),
        tokens::routes(),
        drift::routes(),
        reload::routes(),
        status::routes(),
    ];
    resources.into_iter().fold(Routes::default(), Routes::merge)
}
