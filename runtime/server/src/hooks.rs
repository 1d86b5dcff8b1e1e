//! `POST /hooks/NAME`: what programs outside send.
//!
//! A request is answered with 202 when its run is on disk, and not before. Nothing of a request whose signature is wrong
//! is written anywhere.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{
        HeaderMap, Request, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::post,
};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use trackside_codes::code;
use trackside_facts::{Cause, DecisionKind, DecisionSubject, TriggerDocument};
use trackside_node::{
    Handle, Project,
    core::{Fire, FireAnswer, LedgerEntry},
    printable, read_secret,
};
use trackside_spec::{ArtifactRef, HookSignature, MqttPayload, Plan, TriggerKind, WebhookTrigger};
use trackside_store::{DecisionRow, Hold};
use trackside_triggers::hooks::{
    EventData, cloudevents, payload,
    signature::{GITHUB_HEADER, STRIPE_HEADER, verify_github, verify_stripe},
};

use crate::error::ApiError;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// KiB of bodies in memory at one time.
const BODIES: usize = 128 << 10;
/// Headers that a run does not see: they are the sender's secrets.
const PRIVATE: [&str; 5] = ["authorization", "cookie", "proxy-authorization", GITHUB_HEADER, STRIPE_HEADER];

/// A webhook of the project.
struct Hook {
    trigger_id: String,
    plan: Arc<Plan>,
    settings: WebhookTrigger,
}

struct Shared {
    handle: Handle,
    room: Arc<Semaphore>,
}

/// Whether a project has a webhook that can work.
pub(crate) fn has_hooks(project: &Project) -> bool {
    project.usable_triggers().any(|(_, trigger)| matches!(trigger.kind, TriggerKind::Webhook(_)))
}

/// The webhook of this name, as the definitions are now.
fn find(project: &Project, name: &str) -> Option<Hook> {
    project.usable_triggers().find_map(|(plan, trigger)| match &trigger.kind {
        TriggerKind::Webhook(settings) if settings.name == name => {
            Some(Hook { trigger_id: trigger.id.clone(), plan: plan.clone(), settings: settings.clone() })
        }
        _ => None,
    })
}

/// The page of the webhooks. Which there are is looked up with each request.
pub(crate) fn router(handle: Handle) -> Router {
    let shared = Shared { handle, room: Arc::new(Semaphore::new(BODIES)) };
    Router::new()
        .route("/hooks/{name}", post(take))
        .fallback(async || ApiError::no_such_hook())
        .method_not_allowed_fallback(async || ApiError::no_such_method())
        .with_state(Arc::new(shared))
}

/// What a request brings to its run.
#[derive(Default)]
struct Brought {
    payload: Option<Value>,
    event: Option<Map<String, Value>>,
    /// The event's own, which its producer sends again with a repeat.
    identity: Option<String>,
    /// Its bytes, where they are not the request's body.
    data: Option<Vec<u8>>,
    media_type: String,
}

async fn take(
    State(shared): State<Arc<Shared>>,
    name: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let project = shared.handle.project();
    let hook = &name.ok().and_then(|Path(name)| find(&project, &name)).ok_or_else(ApiError::no_such_hook)?;
    let (head, body) = request.into_parts();
    let (body, _room) = read_body(&shared, &hook.settings, body).await?;
    check_signature(&shared, hook, &head.headers, &body).await?;
    let answer = accept(&shared, hook, &head.headers, &body).await;
    // The sender is known: what it sent and did not fit is worth a row.
    let does_not_fit = [StatusCode::BAD_REQUEST, StatusCode::UNSUPPORTED_MEDIA_TYPE].map(|status| status.as_u16());
    if let Err(error) = answer.as_ref()
        && does_not_fit.contains(&error.status)
    {
        let row = DecisionRow {
            trigger: hook.trigger_id.clone(),
            subject: DecisionSubject::Named(format!("/hooks/{}", hook.settings.name)),
            at_ms: shared.handle.workshop().clock.now_ms(),
            decision: DecisionKind::Blocked.into(),
            detail: format!("{}; the body: {}", error.message, printable(&body)),
        };
        shared.handle.record_decision(row).await;
    }
    answer
}

async fn read_body(
    shared: &Shared,
    settings: &WebhookTrigger,
    body: Body,
) -> Result<(Bytes, OwnedSemaphorePermit), ApiError> {
    let read = tokio::time::timeout(BODY_TIME, collect(shared, settings, body)).await;
    read.unwrap_or_else(|_| Err(ApiError::too_slow()))
}

/// Takes room for what has come, and not for what is announced: nobody who sends nothing keeps others out.
async fn collect(
    shared: &Shared,
    settings: &WebhookTrigger,
    mut body: Body,
) -> Result<(Bytes, OwnedSemaphorePermit), ApiError> {
    let limit = usize::try_from(settings.max_body.as_bytes()).unwrap_or(usize::MAX);
    let take = |kib: usize| {
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        shared.room.clone().try_acquire_many_owned(kib).map_err(|_| ApiError::too_many())
    };
    let (mut came, mut room) = (Vec::new(), take(0)?);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::bad_request(format!("the body can not be read: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - came.len() {
            return Err(ApiError::body_too_large(&settings.max_body.to_string()));
        }
        came.extend_from_slice(&data);
        room.merge(take(came.len().div_ceil(1024) - room.num_permits())?);
    }
    Ok((came.into(), room))
}

async fn check_signature(shared: &Arc<Shared>, hook: &Hook, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
    let Some(name) = hook.settings.signature.secret().map(str::to_owned) else { return Ok(()) };
    let project = shared.handle.project();
    let read = tokio::task::spawn_blocking(move || read_secret(&project.config, &project.root, &name)).await;
    let secret = match read {
        Ok(Ok(secret)) => secret.value,
        Ok(Err(problem)) => {
            tracing::error!(trigger = hook.trigger_id, %problem, "no request can be checked");
            return Err(ApiError::internal("the node can not read the webhook's secret; its log says why"));
        }
        Err(_) => return Err(ApiError::closing()),
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let checked = match &hook.settings.signature {
        HookSignature::None => Ok(()),
        HookSignature::Github { .. } => verify_github(&secret, text(GITHUB_HEADER), body),
        HookSignature::Stripe { tolerance, .. } => {
            let now_s = shared.handle.workshop().clock.now_ms().div_euclid(1000);
            verify_stripe(&secret, text(STRIPE_HEADER), body, now_s, tolerance.to_std())
        }
    };
    checked.map_err(|error| {
        tracing::warn!(trigger = hook.trigger_id, %error, "a request was refused");
        ApiError::of(&error)
    })
}

async fn accept(shared: &Arc<Shared>, hook: &Hook, headers: &HeaderMap, body: &Bytes) -> Result<Response, ApiError> {
    let mut brought = read_request(hook, headers, body)?;
    let params = match &brought.payload {
        Some(payload) => hook.plan.bind_payload(payload),
        None => hook.plan.bind_params(&Map::new()),
    };
    let params = params.map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        ApiError::new(code!("TS-0712"), lines.join("; "))
    })?;
    let bytes = brought.data.take().map_or_else(|| body.clone(), Bytes::from);
    let hold = Hold::new(&shared.handle.workshop().artifacts);
    let kept = keep(&hold, hook, bytes, brought.media_type.clone()).await?;
    let now = shared.handle.workshop().clock.now_ms();
    let artifacts = vec![kept.digest];
    let cause = Cause::Webhook { payload: brought.payload, event: brought.event, headers: shown(headers), body: kept };
    let kind = cause.run_kind();
    let trigger = TriggerDocument::new(&hook.trigger_id, now, cause);
    let (identity, path) = match brought.identity {
        Some(identity) => (identity.clone(), identity.chars().take(200).collect()),
        // It has none of its own; the row says all the same what started the run.
        None => (once(shared.handle.workshop().clock.now_us()), format!("/hooks/{}", hook.settings.name)),
    };
    let entry = LedgerEntry { trigger: hook.trigger_id.clone(), identity, path, stat: String::new() };
    let fire = Fire {
        workflow: hook.plan.name.clone(),
        kind,
        trigger,
        params,
        logical_time_ms: now,
        ledger: vec![entry],
        artifacts,
        hold: Some(hold),
        rows: Vec::new(),
    };
    let (reply, answer) = tokio::sync::oneshot::channel();
    let reply = Box::new(move |answer| drop(reply.send(answer)));
    shared.handle.fire(fire, reply).map_err(|_| ApiError::closing())?;
    match answer.await.map_err(|_| ApiError::closing())? {
        FireAnswer::Accepted(run) => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "run": run.to_string() }))).into_response())
        }
        FireAnswer::Duplicate(_) => Ok((StatusCode::OK, Json(json!({ "duplicate": true }))).into_response()),
        FireAnswer::Refused(reason) => Err(ApiError::new(code!("TS-0712"), reason)),
        FireAnswer::Busy | FireAnswer::Skipped(_) => Err(ApiError::too_many()),
        FireAnswer::Paused => Err(ApiError::paused_hook()),
    }
}

fn read_request(hook: &Hook, headers: &HeaderMap, body: &[u8]) -> Result<Brought, ApiError> {
    let pairs: Vec<(&str, &str)> =
        headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = if media_type.is_empty() { "application/octet-stream".to_owned() } else { media_type };
    let encoding = headers.get(CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("of no text"));
    let is_read = hook.settings.cloudevents || hook.settings.payload == MqttPayload::Json;
    if let Some(error) = payload::encoded(encoding).filter(|_| is_read) {
        return Err(ApiError::of(&error));
    }
    if !hook.settings.cloudevents {
        let payload = read_payload(hook, content_type, body)?;
        return Ok(Brought { payload, media_type: known, ..Brought::default() });
    }
    let event = cloudevents::read(&pairs, body).map_err(|error| ApiError::of(&error))?;
    let identity = Some(event.identity());
    let of_data = event.attributes.get("datacontenttype").and_then(Value::as_str).map(str::to_owned);
    let (payload, data) = match event.data {
        Some(EventData::Json(value)) => (Some(value), None),
        Some(EventData::Bytes(bytes)) => {
            let payload = read_payload(hook, of_data.as_deref().unwrap_or_default(), &bytes)?;
            (payload, Some(bytes))
        }
        None => (None, None),
    };
    let payload = payload.filter(|_| hook.settings.payload == MqttPayload::Json);
    let media_type = if data.is_some() { of_data.unwrap_or(known) } else { known };
    Ok(Brought { payload, event: Some(event.attributes), identity, data, media_type })
}

/// The document that a body holds, where the trigger wants one. One that is wanted and can not be read is the sender's error.
fn read_payload(hook: &Hook, content_type: &str, body: &[u8]) -> Result<Option<Value>, ApiError> {
    if hook.settings.payload == MqttPayload::Artifact {
        return Ok(None);
    }
    payload::read(content_type, body).map_err(|error| ApiError::of(&error))
}

async fn keep(hold: &Hold, hook: &Hook, bytes: Bytes, media_type: String) -> Result<ArtifactRef, ApiError> {
    let (hold, name) = (hold.clone(), hook.settings.name.clone());
    let stored = tokio::task::spawn_blocking(move || hold.store(&mut bytes.as_ref(), &name, &media_type)).await;
    match stored {
        Ok(Ok(artifact)) => Ok(artifact),
        Ok(Err(error)) => {
            tracing::error!(%error, "the body of a request can not be stored");
            Err(ApiError::busy())
        }
        Err(_) => Err(ApiError::closing()),
    }
}

/// The headers that the run may see. Of several with one name the first counts.
fn shown(headers: &HeaderMap) -> Map<String, Value> {
    let mut shown = Map::new();
    for (name, value) in headers {
        if let (false, Ok(value)) = (PRIVATE.contains(&name.as_str()), value.to_str()) {
            shown.entry(name.as_str()).or_insert_with(|| value.into());
        }
    }
    shown
}

/// An identity that no other request has.
fn once(now_us: i64) -> String {
    // Without the kernel's randomness two requests would have to come within a microsecond.
    format!("request:{now_us}:{:016x}", getrandom::u64().unwrap_or(0))
}
