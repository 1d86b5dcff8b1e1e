//! Rollouts.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::Request,
};
use trackside_codes::Coded as _;
use trackside_control::{
    ModelPlace, ModelsError, RolloutsError, StartRollout, list_rollouts, say_rollout, show_rollout, start_rollout,
};
use trackside_node::{NodeError, RolloutDocument, Say};

use super::{Peer, Shared, models::on_thread, routes::Routes};
use crate::{body::read_json, error::ApiError};

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/v1/rollouts", list)
        .post("/v1/rollouts", start)
        .get("/v1/rollouts/{which}", show)
        .post("/v1/rollouts/{model}/promote", promote)
        .post("/v1/rollouts/{model}/abort", abort)
        .post("/v1/rollouts/{model}/hold", hold)
        .post("/v1/rollouts/{model}/resume", resume)
}

impl From<RolloutsError> for ApiError {
    fn from(error: RolloutsError) -> Self {
        match error {
            RolloutsError::Models(ModelsError::Node(NodeError::Closed)) | RolloutsError::Node(NodeError::Closed) => {
                Self::closing()
            }
            error => Self::new(error.code(), error.message()),
        }
    }
}

type Named = Result<Path<String>, PathRejection>;

fn name(path: Named) -> Result<String, ApiError> {
    path.map(|Path(name)| name).map_err(|_| ApiError::bad_request("the path names no rollout"))
}

/// `GET /v1/rollouts`: the newest first.
async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Vec<RolloutDocument>>, ApiError> {
    on_thread(move || {
        let readers = shared.handle.readers().clone();
        readers.with(|reader| Ok(list_rollouts(reader, Some(&shared.handle), None))).map_err(RolloutsError::Store)?
    })
    .await
}

/// `GET /v1/rollouts/{which}`: of a number, or the last one of a model.
async fn show(State(shared): State<Arc<Shared>>, path: Named) -> Result<Json<RolloutDocument>, ApiError> {
    let which = name(path)?;
    on_thread(move || {
        let readers = shared.handle.readers().clone();
        readers.with(|reader| Ok(show_rollout(reader, Some(&shared.handle), &which))).map_err(RolloutsError::Store)?
    })
    .await
}

/// `POST /v1/rollouts`
async fn start(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request<Body>,
) -> Result<Json<RolloutDocument>, ApiError> {
    let wanted: StartRollout = read_json(request).await?;
    let by = peer.name().await;
    on_thread(move || start_rollout(&mut ModelPlace::of_node(&shared.handle, &by), &wanted)).await
}

async fn say(shared: Arc<Shared>, peer: Peer, path: Named, say: Say) -> Result<Json<RolloutDocument>, ApiError> {
    let model = name(path)?;
    let by = peer.name().await;
    on_thread(move || say_rollout(&mut ModelPlace::of_node(&shared.handle, &by), &model, say)).await
}

macro_rules! saying {
    ($($name:ident: $say:ident),+) => {
        $(
            #[doc = concat!("`POST /v1/rollouts/{model}/", stringify!($name), "`")]
            async fn $name(
                State(shared): State<Arc<Shared>>,
                Extension(peer): Extension<Peer>,
                path: Named,
            ) -> Result<Json<RolloutDocument>, ApiError> {
                say(shared, peer, path, Say::$say).await
            }
        )+
    };
}

saying! { promote: Promote, abort: Abort, hold: Hold, resume: Resume }
