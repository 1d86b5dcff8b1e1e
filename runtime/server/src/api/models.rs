//! The registry of models.

use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{Request, Uri},
};
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use trackside_codes::{Coded, code};
use trackside_control::{
    AddModel, AliasMoved, GivenModel, LoadModelError, ModelAdded, ModelPlace, ModelRemoved, ModelsError, MoveAlias,
    ServedModel, ServedVersion, add_model, load_model, move_model_alias, remove_model, roll_back_model, served_models,
};
use trackside_spec::ModelRef;

use super::{Peer, Shared, routes::Routes};
use crate::{body::read_json, error::ApiError};

/// How long the next part of an archive may take to arrive.
const PART_TIME: Duration = Duration::from_secs(30);
/// What is read of an archive behind its end, or of one that was refused, so that who sends it hears why.
const DRAINED: u64 = 3 << 30;

impl From<ModelsError> for ApiError {
    fn from(error: ModelsError) -> Self {
        match error {
            ModelsError::Node(_) => Self::closing(),
            error => Self::new(error.code(), error.message()),
        }
    }
}

pub(super) fn routes() -> Routes {
    Routes::default()
        .get("/v1/models", list)
        .post("/v1/models/{name}/load", load)
        .post("/v1/models/{name}/versions", add)
        .post("/v1/models/{name}/versions/{version}/remove", remove)
        .post("/v1/models/{name}/aliases/{alias}", move_alias)
        .post("/v1/models/{name}/aliases/{alias}/rollback", roll_back)
}

impl From<LoadModelError> for ApiError {
    fn from(error: LoadModelError) -> Self {
        Self::new(error.code(), error.message())
    }
}

/// `GET /v1/models`: those in service.
async fn list(State(shared): State<Arc<Shared>>) -> Result<Json<Vec<ServedModel>>, ApiError> {
    on_thread(move || served_models(&shared.handle)).await
}

/// `POST /v1/models/{name}/load`: the name may say an alias or a version.
async fn load(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<ServedVersion>, ApiError> {
    let Path(name) = path.map_err(bad_path)?;
    let model: ModelRef = name.parse().map_err(ModelsError::from)?;
    on_thread(move || load_model(&shared.handle, &model)).await
}

fn bad_path(_: PathRejection) -> ApiError {
    ApiError::bad_request("the path names no model")
}

/// `POST /v1/models/{name}/versions?alias=…`: the body is an archive.
async fn add(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<String>, PathRejection>,
    uri: Uri,
    request: Request<Body>,
) -> Result<Json<ModelAdded>, ApiError> {
    let Path(name) = path.map_err(bad_path)?;
    let aliases = aliases(&uri)?;
    // Each holds a thread for as long as its archive takes to come; who is not refused while it sends hears the answer.
    let Ok(_place) = shared.adding.clone().acquire_owned().await else { return Err(ApiError::closing()) };
    let by = peer.name().await;
    let runtime = Handle::current();
    let work = move || {
        let body = ArchiveBody { runtime, body: request.into_body(), part: Bytes::new(), read: 0 };
        let mut place = ModelPlace::of_node(&shared.handle, &by);
        add_model(&mut place, &AddModel { name, aliases }, GivenModel::Archive(Box::new(body)))
    };
    on_thread(work).await
}

/// The values of `alias` in a query, which has nothing else.
fn aliases(uri: &Uri) -> Result<Vec<String>, ApiError> {
    let mut aliases = Vec::new();
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let alias = pair.strip_prefix("alias=");
        let alias = alias.ok_or_else(|| ApiError::bad_request("the query takes `alias=NAME` and nothing else"))?;
        // What would have to be quoted there is no alias, and is told as it stands.
        aliases.push(alias.to_owned());
        if aliases.len() > 16 {
            return Err(ApiError::bad_request("the query has more than 16 aliases"));
        }
    }
    Ok(aliases)
}

/// `POST /v1/models/{name}/aliases/{alias}`
async fn move_alias(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request<Body>,
) -> Result<Json<AliasMoved>, ApiError> {
    let Path((name, alias)) = path.map_err(bad_path)?;
    let MoveAlias { version } = read_json(request).await?;
    let by = peer.name().await;
    on_thread(move || move_model_alias(&mut ModelPlace::of_node(&shared.handle, &by), &name, &alias, version)).await
}

/// `POST /v1/models/{name}/aliases/{alias}/rollback`
async fn roll_back(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<AliasMoved>, ApiError> {
    let Path((name, alias)) = path.map_err(bad_path)?;
    let by = peer.name().await;
    on_thread(move || roll_back_model(&mut ModelPlace::of_node(&shared.handle, &by), &name, &alias)).await
}

/// `POST /v1/models/{name}/versions/{version}/remove`
async fn remove(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    path: Result<Path<(String, u32)>, PathRejection>,
) -> Result<Json<ModelRemoved>, ApiError> {
    let Path((name, version)) = path.map_err(bad_path)?;
    let by = peer.name().await;
    on_thread(move || remove_model(&mut ModelPlace::of_node(&shared.handle, &by), &name, version)).await
}

/// Does it where it may block.
pub(super) async fn on_thread<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<Json<T>, ApiError>
where
    ApiError: From<E>,
{
    let done = tokio::task::spawn_blocking(work).await;
    let done =
        done.map_err(|error| ApiError::new(code!("TS-0720"), format!("the registry's work broke off: {error}")))?;
    Ok(Json(done?))
}

/// A body, read on a thread that may block. It never gives more than its sender sends, and nothing waits for ever.
struct ArchiveBody {
    runtime: Handle,
    body: Body,
    part: Bytes,
    read: u64,
}

impl Read for ArchiveBody {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            let body = &mut self.body;
            let next = self.runtime.block_on(async { tokio::time::timeout(PART_TIME, body.frame()).await });
            match next {
                Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "nothing came for 30 s")),
                Ok(None) => return Ok(0),
                Ok(Some(Err(error))) => return Err(io::Error::other(error)),
                Ok(Some(Ok(frame))) => self.part = frame.into_data().unwrap_or_default(),
            }
        }
        let length = self.part.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.part.split_to(length));
        self.read += length as u64;
        Ok(length)
    }
}

/// Reads on what was not wanted: a client that is still sending does not hear why it is refused.
impl Drop for ArchiveBody {
    fn drop(&mut self) {
        let mut rest = vec![0; 64 << 10];
        while self.read < DRAINED && matches!(self.read(&mut rest), Ok(1..)) {}
    }
}
