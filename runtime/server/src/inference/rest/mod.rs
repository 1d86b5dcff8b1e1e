//! The protocol over REST.

mod answer;
mod coding;
mod elements;
mod json;
mod keys;
pub(crate) mod request;
mod route;
mod told;
mod whole;

use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, VARY,
        WWW_AUTHENTICATE,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use trackside_spec::Right;

use super::{
    aside::{LARGE, aside},
    ask,
    backend::{InferAnswer, ModelState, Wanted},
    body,
    failure::Failure,
    grpc, raw,
    serve::Shared,
};
use crate::{body::MAX_BODY, prompt::MoreToCome, unread::Unread};
use answer::Asked;
use coding::Coding;
use route::Route;

/// What fuzz targets reach.
#[cfg(fuzzing)]
pub(crate) mod fuzzing {
    pub(crate) use super::request::read;
    use super::{
        super::backend::InferAnswer,
        answer::{self, Asked},
        json::Reader,
    };

    pub(crate) fn write(answer: &InferAnswer, binary: bool) -> Vec<u8> {
        let asked = Asked { binary_default: binary, ..Asked::default() };
        answer::write(answer, &asked).map(|written| written.bytes).unwrap_or_default()
    }

    pub(crate) fn is_json(text: &[u8]) -> bool {
        let mut reader = Reader::new(text);
        reader.skip().and_then(|()| reader.end()).is_ok()
    }
}

/// How many bytes of the body are JSON, where others follow.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

type Answered = Response<body::Answer>;

/// Answers a request; what goes wrong is told as an answer, too.
pub(crate) async fn answer(shared: &Shared, request: Request<Incoming>, more: &MoreToCome) -> Answered {
    match find(shared, Unread::of(request), more).await {
        Ok(answer) => answer,
        Err(failure) => refused(&failure),
    }
}

/// An error as all clients read it: one text under one key, and no charset behind the type.
pub(crate) fn refused(failure: &Failure) -> Answered {
    let mut answer = told(failure.status(), &json!({"error": failure.to_string()}));
    if let Some(seconds) = failure.retry_after() {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if let Some(allow) = failure.allow {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    if failure.status() == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

fn told(status: StatusCode, value: &Value) -> Answered {
    sent(status, value.to_string().into_bytes(), JSON)
}

fn sent(status: StatusCode, bytes: Vec<u8>, content_type: HeaderValue) -> Answered {
    let mut answer = Response::new(bytes.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

fn ok(value: &Value) -> Result<Answered, Failure> {
    Ok(told(StatusCode::OK, value))
}

/// 200, or 503 with a text that says why; clients read the one or the other.
fn ready(is_ready: bool, mut value: Value, what: &str) -> Result<Answered, Failure> {
    if is_ready {
        return ok(&value);
    }
    value["error"] = Value::from(what);
    Ok(told(StatusCode::SERVICE_UNAVAILABLE, &value))
}

async fn find(shared: &Shared, request: Request<Unread>, more: &MoreToCome) -> Result<Answered, Failure> {
    let route = Route::find(request.method(), request.uri().path());
    // Who may not ask is not told what there is, either.
    shared.gate.check(request.headers(), route.as_ref().map_or(Right::Infer, Route::right))?;
    let backend = &*shared.backend;
    match route? {
        Route::Infer(wanted) => infer(shared, &wanted, request, more).await,
        Route::Live => ok(&json!({"live": true})),
        Route::Ready => {
            let is_ready = backend.ready();
            ready(is_ready, json!({"ready": is_ready, "live": true}), "the server is not ready")
        }
        Route::Server => ok(&json!({"name": ask::NAME, "version": ask::VERSION, "extensions": ask::EXTENSIONS})),
        Route::Models => ok(&json!({"models": backend.models().await?})),
        Route::Statistics(wanted) => {
            let statistics = backend.statistics(wanted.as_ref()).await?;
            let told: Vec<_> = statistics.into_iter().map(|one| told::statistics(&grpc::statistics(one))).collect();
            ok(&json!({"model_stats": told}))
        }
        Route::ModelReady(wanted) => {
            let is_ready = backend.model_ready(&wanted).await?;
            ready(is_ready, json!({"name": wanted.name, "ready": is_ready}), "the model is not ready")
        }
        Route::Metadata(wanted) => ok(&told::metadata(&*backend.metadata(&wanted).await?)),
        Route::Config(wanted) => ok(&told::config(&grpc::config(backend.config(&wanted).await?))),
        Route::Index => {
            let asked: IndexRequest = small(shared, request, more).await?;
            let entries = backend.index().await?;
            let kept = entries.iter().filter(|entry| !asked.ready || entry.state == ModelState::Ready);
            ok(&kept.map(told::entry).collect())
        }
        Route::Load(wanted) => {
            let asked: LoadRequest = small(shared, request, more).await?;
            let parameters = asked.parameters.unwrap_or_default();
            if parameters.keys().any(|name| name == "config" || name.starts_with("file:")) {
                return Err(grpc::overrides());
            }
            backend.load(&wanted).await?;
            ok(&json!({}))
        }
        Route::Unload(wanted) => {
            let _: LoadRequest = small(shared, request, more).await?;
            backend.unload(&wanted).await?;
            ok(&json!({}))
        }
        Route::Labels => {
            let body = small_of(MAX_BODY, shared, request, more).await?;
            ok(&backend.label(body).await?)
        }
        Route::NotServed(why) => Err(Failure::unsupported(why)),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct IndexRequest {
    ready: bool,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct LoadRequest {
    parameters: Option<serde_json::Map<String, Value>>,
}

/// A request that says little, or nothing at all.
async fn small<T: for<'a> Deserialize<'a> + Default>(
    shared: &Shared,
    request: Request<Unread>,
    more: &MoreToCome,
) -> Result<T, Failure> {
    small_of(shared.limits.max_body, shared, request, more).await
}

/// The same of so many bytes at most.
async fn small_of<T: for<'a> Deserialize<'a> + Default>(
    most: usize,
    shared: &Shared,
    request: Request<Unread>,
    more: &MoreToCome,
) -> Result<T, Failure> {
    let most = most.min(shared.limits.max_body);
    let mut held = shared.room.none();
    let (head, body) = request.into_parts();
    let bytes = body::read(body, most, shared.limits.body_time, &mut held, more).await?;
    let bytes = match Coding::of_request(&head.headers)? {
        Some(coding) => coding.unpack(&bytes, most, &mut |bytes| held.take(bytes))?.into(),
        None => bytes,
    };
    if bytes.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&bytes).map_err(|error| Failure::invalid(format!("the body is not as expected: {error}")))
}

async fn infer(
    shared: &Shared,
    wanted: &Wanted,
    request: Request<Unread>,
    more: &MoreToCome,
) -> Result<Answered, Failure> {
    let (head, body) = request.into_parts();
    let coding = Coding::of_request(&head.headers)?;
    let json_length = json_length(&head.headers)?;
    let mut held = shared.room.none();
    let limits = &shared.limits;
    let mut bytes = body::read(body, limits.max_body, limits.body_time, &mut held, more).await?;
    if let Some(coding) = coding {
        let max_body = limits.max_body;
        // A small body may become a large one.
        (bytes, held) = aside(true, move || {
            let unpacked = coding.unpack(&bytes, max_body, &mut |bytes| held.take(bytes))?;
            Ok((unpacked.into(), held))
        })
        .await?;
    }
    let backend = &*shared.backend;
    let mut request = match json_length {
        Some(0) => whole::request(&*backend.metadata(wanted).await?, &bytes)?,
        length => aside(bytes.len() > LARGE, move || request::read(&bytes, length)).await?,
    };
    // From here on its tensors are what it holds.
    held.clear();
    held.take(request.inputs.iter().map(|(_, tensor)| raw::in_memory(tensor)).sum())?;
    let asked =
        Asked { id: request.id.clone(), binary_default: request.binary_default, outputs: take_forms(&mut request) };
    if let Some(name) = backend.subject_header(wanted) {
        request.subject = head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    }
    let answer = ask::infer(backend, wanted, request).await?;
    let size: usize = answer.outputs.iter().map(|(_, tensor)| raw::in_memory(tensor)).sum();
    let coding = if head.headers.contains_key(ACCEPT_ENCODING) { Coding::wanted(&head.headers) } else { None };
    aside(size > LARGE, move || write(&answer, &asked, coding)).await
}

/// The answer as it goes out.
fn write(answer: &InferAnswer, asked: &Asked, coding: Option<Coding>) -> Result<Answered, Failure> {
    let written = answer::write(answer, asked)?;
    let content_type = if written.json.is_some() { BYTES } else { JSON };
    let mut answer = sent(StatusCode::OK, Vec::new(), content_type);
    if let Some(length) = written.json {
        answer.headers_mut().insert(JSON_LENGTH, length.into());
    }
    let mut bytes = written.bytes;
    if let Some(coding) = coding
        && let Some(packed) = coding.pack(&bytes)
    {
        answer.headers_mut().insert(CONTENT_ENCODING, coding.header());
        answer.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
        bytes = packed;
    }
    *answer.body_mut() = bytes.into();
    Ok(answer)
}

/// What the answer goes by, where something else than the request's own default was asked for.
fn take_forms(request: &mut super::backend::InferRequest) -> Vec<super::backend::WantedOutput> {
    if request.outputs.iter().any(|output| output.binary.is_some()) { request.outputs.clone() } else { Vec::new() }
}

/// What the header of the binary extension says: 0 for a body that is one tensor.
fn json_length(headers: &HeaderMap) -> Result<Option<usize>, Failure> {
    let Some(value) = headers.get(JSON_LENGTH) else { return Ok(None) };
    let text = value.to_str().unwrap_or("?");
    let digits = (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text);
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        Failure::invalid(format!(
            "Inference-Header-Content-Length is {text:?}; it is the number of bytes that are JSON"
        ))
    })
}
