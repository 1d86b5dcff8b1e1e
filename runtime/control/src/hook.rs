//! Webhooks: what becomes of a request that a program outside has sent.
//!
//! Nothing of a request whose signature is wrong is written anywhere. That a run was started is told when it is on disk, and not
//! before.

use std::sync::Arc;

use hyper::{
    HeaderMap,
    body::Bytes,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use serde_json::{Map, Value};
use trackside_codes::{Class, Code, Coded, code};
use trackside_facts::{Cause, DecisionKind, DecisionSubject, TriggerDocument};
use trackside_node::{
    Handle, NodeError, Project,
    core::{Fire, FireAnswer, LedgerEntry},
    printable, read_secret,
};
use trackside_spec::{ArtifactRef, ByteSize, HookSignature, MqttPayload, Plan, TriggerKind, WebhookTrigger};
use trackside_store::{DecisionRow, Hold};
use trackside_triggers::hooks::{
    CloudEventError, EventData, PayloadError, SignatureError, cloudevents, payload,
    signature::{GITHUB_HEADER, STRIPE_HEADER, verify_github, verify_stripe},
};

use crate::wait::Waited;

/// Headers that a run does not see: they are the sender's secrets.
const PRIVATE: [&str; 5] = ["authorization", "cookie", "proxy-authorization", GITHUB_HEADER, STRIPE_HEADER];

/// Bytes of a body that the record of a request that starts no run may show.
const BEGINNING: usize = 1024;

/// Why a request starts no run.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// Nobody knows who sent it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The secret that it would be checked with can not be read.
    #[error("[{code}] the node can not read the webhook's secret; its log says why", code = self.code())]
    NoSecret,
    /// It is no event.
    #[error(transparent)]
    Event(#[from] CloudEventError),
    /// What it brings can not be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// What it brings does not fit the workflow.
    #[error("[{code}] {0}", code = self.code())]
    DoesNotFit(String),
    /// Its body can not be stored.
    #[error(
        "[{code}] the node has too many runs under way, or its disk refuses commits; try again in a moment",
        code = self.code()
    )]
    Busy,
    /// More than can be taken now.
    #[error("[{code}] too much is under way; send it again in a moment", code = self.code())]
    TooMany,
    /// Somebody has paused the trigger.
    #[error("[{code}] this webhook is paused; send it again later", code = self.code())]
    Paused,
    /// The node is going down.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl Coded for HookError {
    fn code(&self) -> Code {
        match self {
            Self::Signature(error) => error.code(),
            Self::NoSecret => code!("TS-0720"),
            Self::Event(error) => error.code(),
            Self::Payload(error) => error.code(),
            Self::DoesNotFit(_) => code!("TS-0712"),
            Self::Busy => code!("TS-0714"),
            Self::TooMany => code!("TS-0738"),
            Self::Paused => code!("TS-0739"),
            Self::Node(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Node(error) => error.class(),
            _ => self.code().class(),
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum HookAnswer {
    /// A run was started; it is on disk, and so is its end, where it came while it was waited for.
    Started(Waited),
    /// The event has had its run.
    Duplicate,
}

/// A webhook of the project.
pub struct Hook<'p> {
    trigger_id: &'p str,
    plan: &'p Arc<Plan>,
    settings: &'p WebhookTrigger,
}

impl<'p> Hook<'p> {
    /// Whether a project has one that can work.
    #[must_use]
    pub fn any(project: &Project) -> bool {
        project.usable_triggers().any(|(_, trigger)| matches!(trigger.kind, TriggerKind::Webhook(_)))
    }

    /// The one of this name, as the definitions are now.
    #[must_use]
    pub fn find(project: &'p Project, name: &str) -> Option<Self> {
        project.usable_triggers().find_map(|(plan, trigger)| match &trigger.kind {
            TriggerKind::Webhook(settings) if settings.name == name => {
                Some(Self { trigger_id: &trigger.id, plan, settings })
            }
            _ => None,
        })
    }

    /// The largest body that it takes.
    #[must_use]
    pub const fn max_body(&self) -> ByteSize {
        self.settings.max_body
    }

    /// Takes a request, and waits for the end of its run until `over` is through, where the sender wants that. What is wrong with
    /// one of a known sender is written down among the trigger's decisions. The body, and the room that it took up, are given
    /// back as soon as the node has what it needs of it.
    ///
    /// # Errors
    /// Any [`HookError`]; no run was started then.
    pub async fn receive<R>(
        &self,
        handle: &Handle,
        headers: &HeaderMap,
        (body, room): (Bytes, R),
        over: Option<impl Future<Output = ()>>,
    ) -> Result<HookAnswer, HookError> {
        self.check_signature(handle, headers, &body).await?;
        // Of a long one a copy: its room is given back before.
        let beginning = body.get(..BEGINNING).map_or_else(|| body.clone(), Bytes::copy_from_slice);
        let answer = match self.wish(handle, headers, &body).await {
            Ok(fire) => {
                drop((body, room));
                offer(handle, fire, over).await
            }
            Err(error) => Err(error),
        };
        if let Err(error @ (HookError::Event(_) | HookError::Payload(_) | HookError::DoesNotFit(_))) = &answer {
            let row = DecisionRow {
                trigger: self.trigger_id.to_owned(),
                subject: DecisionSubject::Named(self.path()),
                at_ms: handle.workshop().clock.now_ms(),
                decision: DecisionKind::Blocked.into(),
                detail: format!("{}; the body: {}", error.message(), printable(&beginning)),
            };
            handle.record_decision(row).await;
        }
        answer
    }

    fn path(&self) -> String {
        format!("/hooks/{}", self.settings.name)
    }

    async fn check_signature(&self, handle: &Handle, headers: &HeaderMap, body: &[u8]) -> Result<(), HookError> {
        let Some(name) = self.settings.signature.secret().map(str::to_owned) else { return Ok(()) };
        let project = handle.project();
        let read = tokio::task::spawn_blocking(move || read_secret(&project.config, &project.root, &name)).await;
        let secret = match read.map_err(|_| NodeError::Closed)? {
            Ok(secret) => secret.value,
            Err(problem) => {
                tracing::error!(trigger = self.trigger_id, %problem, "no request can be checked");
                return Err(HookError::NoSecret);
            }
        };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let checked = match &self.settings.signature {
            HookSignature::None => Ok(()),
            HookSignature::Github { .. } => verify_github(&secret, text(GITHUB_HEADER), body),
            HookSignature::Stripe { tolerance, .. } => {
                let now_s = handle.workshop().clock.now_ms().div_euclid(1000);
                verify_stripe(&secret, text(STRIPE_HEADER), body, now_s, tolerance.to_std())
            }
        };
        checked.map_err(|error| {
            tracing::warn!(trigger = self.trigger_id, %error, "a request was refused");
            error.into()
        })
    }

    /// The run that a request wants.
    async fn wish(&self, handle: &Handle, headers: &HeaderMap, body: &Bytes) -> Result<Fire, HookError> {
        let mut brought = self.read(headers, body)?;
        let params = match &brought.payload {
            Some(payload) => self.plan.bind_payload(payload),
            None => self.plan.bind_params(&Map::new()),
        };
        let params = params.map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            HookError::DoesNotFit(lines.join("; "))
        })?;
        let bytes = brought.data.take().map_or_else(|| body.clone(), Bytes::from);
        let hold = Hold::new(&handle.workshop().artifacts);
        let kept = self.keep(&hold, bytes, brought.media_type.clone()).await?;
        let now = handle.workshop().clock.now_ms();
        let artifacts = vec![kept.digest];
        let cause =
            Cause::Webhook { payload: brought.payload, event: brought.event, headers: shown(headers), body: kept };
        let kind = cause.run_kind();
        let trigger = TriggerDocument::new(self.trigger_id, now, cause);
        let entry = match brought.identity {
            Some(identity) => LedgerEntry {
                trigger: self.trigger_id.to_owned(),
                path: identity.chars().take(200).collect(),
                identity,
                stat: String::new(),
            },
            None => LedgerEntry::once(self.trigger_id, self.path()),
        };
        Ok(Fire {
            workflow: self.plan.name.clone(),
            kind,
            trigger,
            params,
            logical_time_ms: now,
            ledger: vec![entry],
            artifacts,
            hold: Some(hold),
            rows: Vec::new(),
        })
    }

    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Brought, HookError> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let known = if media_type.is_empty() { "application/octet-stream".to_owned() } else { media_type };
        let encoding = headers.get(CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("of no text"));
        let is_read = self.settings.cloudevents || self.settings.payload == MqttPayload::Json;
        if let Some(error) = payload::encoded(encoding).filter(|_| is_read) {
            return Err(error.into());
        }
        if !self.settings.cloudevents {
            let payload = self.read_payload(content_type, body)?;
            return Ok(Brought { payload, media_type: known, ..Brought::default() });
        }
        let pairs: Vec<(&str, &str)> =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
        let event = cloudevents::read(&pairs, body)?;
        let identity = Some(event.identity());
        let of_data = event.attributes.get("datacontenttype").and_then(Value::as_str).map(str::to_owned);
        let (payload, data) = match event.data {
            Some(EventData::Json(value)) => (Some(value), None),
            Some(EventData::Bytes(bytes)) => {
                let payload = self.read_payload(of_data.as_deref().unwrap_or_default(), &bytes)?;
                (payload, Some(bytes))
            }
            None => (None, None),
        };
        let payload = payload.filter(|_| self.settings.payload == MqttPayload::Json);
        let media_type = if data.is_some() { of_data.unwrap_or(known) } else { known };
        Ok(Brought { payload, event: Some(event.attributes), identity, data, media_type })
    }

    /// The document that a body holds, where the trigger wants one. One that is wanted and can not be read is the sender's error.
    fn read_payload(&self, content_type: &str, body: &[u8]) -> Result<Option<Value>, HookError> {
        if self.settings.payload == MqttPayload::Artifact {
            return Ok(None);
        }
        Ok(payload::read(content_type, body)?)
    }

    async fn keep(&self, hold: &Hold, bytes: Bytes, media_type: String) -> Result<ArtifactRef, HookError> {
        // Nobody waits for a disk where there is none to wait for.
        match hold.store_small(&bytes, &self.settings.name, &media_type) {
            Ok(None) => {}
            Ok(Some(kept)) => return Ok(kept),
            Err(error) => return Err(not_stored(&error)),
        }
        let (hold, name) = (hold.clone(), self.settings.name.clone());
        let stored = tokio::task::spawn_blocking(move || hold.store(&mut bytes.as_ref(), &name, &media_type)).await;
        stored.map_err(|_| NodeError::Closed)?.map_err(|error| not_stored(&error))
    }
}

fn not_stored(error: &std::io::Error) -> HookError {
    tracing::error!(%error, "the body of a request can not be stored");
    HookError::Busy
}

async fn offer(handle: &Handle, fire: Fire, over: Option<impl Future<Output = ()>>) -> Result<HookAnswer, HookError> {
    let (answer, end) = match over {
        Some(over) => handle.fire_and_wait(fire)?.until(over).await?,
        None => {
            let (reply, answer) = tokio::sync::oneshot::channel();
            handle.fire(fire, Box::new(move |answer| drop(reply.send(answer))))?;
            (answer.await.map_err(|_| NodeError::Closed)?, None)
        }
    };
    match answer {
        FireAnswer::Accepted(run) => Ok(HookAnswer::Started(Waited::new(run, end))),
        FireAnswer::Duplicate(_) => Ok(HookAnswer::Duplicate),
        FireAnswer::Refused(reason) => Err(HookError::DoesNotFit(reason)),
        FireAnswer::Busy => Err(HookError::Busy),
        FireAnswer::Skipped(_) => Err(HookError::TooMany),
        FireAnswer::Paused => Err(HookError::Paused),
    }
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
