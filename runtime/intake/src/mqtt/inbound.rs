//! From a message to a run.
//!
//! A broker sends a message again when the connection was lost before it had our acknowledgement, under the same packet
//! number and marked as a repeat. The ledger has a row for each packet number of a session; a repeat whose bytes are those
//! of the newest row for its number has had its run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Map, Value};
use trackside_codes::{Class, Reason};
use trackside_facts::{Cause, DecisionKind, DecisionSubject, MessageContent, TriggerDocument};
use trackside_spec::{ArtifactRef, Digest, MqttPayload, MqttTrigger, Plan, read_outside};
use trackside_store::{DecisionRow, Hold, Txn, Write};
use trackside_sync::lock;
use trackside_triggers::hooks::payload::unmarked;

use super::{link::Received, topics::Listener};
use crate::{
    printable::printable,
    tools::{Tools, blocking},
    wish::{Fire, FireAnswer, LedgerEntry},
};

/// How long a message waits when the node has no room for its run.
const BUSY: Duration = Duration::from_secs(1);
/// How many labels of a message are told that were refused.
const REFUSED: usize = 5;

/// What is needed of the node.
#[derive(Clone)]
pub(super) struct Inbound {
    pub(super) tools: Tools,
    /// Whether messages start runs; otherwise nothing is kept at the brokers.
    pub(super) listens: bool,
}

/// Messages whose runs are not on disk yet: the ledger's path to digest and identity.
pub(super) type UnderWay = Arc<Mutex<HashMap<(String, String), (Digest, String)>>>;

/// Does what a message asks of one trigger. Ends when that is on disk, or when it is clear that it starts nothing; not
/// before, however long the node has no room.
///
/// # Errors
/// When the node is going down, or nothing can be written: the message must not be acknowledged.
pub(super) async fn take(
    inbound: Inbound,
    under_way: UnderWay,
    listener: Listener,
    message: Arc<Received>,
    session: i64,
) -> Result<(), Reason> {
    let (settings, id) = (&listener.settings, &listener.trigger_id);
    let Some(plan) = &listener.plan else { return labels(inbound, settings, message).await };
    let size = message.payload.len() as u64;
    if size > settings.max_payload.as_bytes() {
        let reason = format!("it has {size} bytes; max_payload is {}", settings.max_payload);
        return inbound.decide(id, &message, DecisionKind::Blocked, reason).await;
    }
    let digest = Digest::of(&[message.topic.as_bytes(), b"\0", &message.payload].concat());
    let now = inbound.tools.clock.now_ms();
    let (mut params, mut artifacts) = (Map::new(), Vec::new());
    let hold = Hold::new(&inbound.tools.artifacts);
    let content = match settings.payload {
        MqttPayload::Json => match read(plan, &message) {
            Ok((payload, bound)) => {
                params = bound;
                MessageContent::Payload(payload)
            }
            Err(reason) => {
                return inbound.decide(id, &message, DecisionKind::Blocked, reason.to_string()).await;
            }
        },
        MqttPayload::Artifact => {
            let body = inbound.keep(message.clone(), hold.clone()).await?;
            artifacts.push(body.digest);
            MessageContent::Body(body)
        }
    };
    let cause = Cause::Mqtt { topic: message.topic.clone(), content };
    let kind = cause.run_kind();
    let trigger = TriggerDocument::new(id, now, cause);
    let entry = entry(&inbound, &under_way, id, &message, session, digest).await?;
    let slot = entry.as_ref().map(|entry| (entry.trigger.clone(), entry.path.clone()));
    let fire = || Fire {
        workflow: plan.name.clone(),
        kind,
        trigger: trigger.clone(),
        params: params.clone(),
        logical_time_ms: now,
        ledger: entry.clone().into_iter().collect(),
        artifacts: artifacts.clone(),
        hold: Some(hold.clone()),
        rows: Vec::new(),
    };
    let ended = loop {
        match inbound.tools.fire(fire()).await? {
            FireAnswer::Accepted(_) => break Ok(()),
            FireAnswer::Duplicate(_) => {
                break inbound
                    .decide(id, &message, DecisionKind::Deduped, "the broker has sent it before".to_owned())
                    .await;
            }
            FireAnswer::Refused(reason) => break inbound.decide(id, &message, DecisionKind::Blocked, reason).await,
            FireAnswer::Skipped(reason) => break inbound.decide(id, &message, DecisionKind::Skipped, reason).await,
            FireAnswer::Paused => {
                break inbound.decide(id, &message, DecisionKind::Paused, "the trigger is paused".to_owned()).await;
            }
            FireAnswer::Busy => tokio::time::sleep(BUSY).await,
        }
    };
    if let Some(slot) = slot {
        lock(&under_way).remove(&slot);
    }
    ended
}

/// Takes a message with labels. What is refused is told, and does not come again.
async fn labels(inbound: Inbound, settings: &MqttTrigger, message: Arc<Received>) -> Result<(), Reason> {
    let size = message.payload.len() as u64;
    let (by, topic) = (format!("the broker {}", settings.broker), message.topic.clone());
    let refused = if size > settings.max_payload.as_bytes() {
        vec![format!("it has {size} bytes; at most {} are taken", settings.max_payload)]
    } else {
        let (take, by) = (inbound.tools.labels.clone(), by.clone());
        blocking(move || take(unmarked(&message.payload), &by)).await??
    };
    for reason in refused.iter().take(REFUSED) {
        tracing::warn!(topic, "[TS-1063] {by} brought a label that is not taken: {reason}");
    }
    if refused.len() > REFUSED {
        tracing::warn!(topic, "[TS-1063] {by} brought {} more labels that are not taken", refused.len() - REFUSED);
    }
    Ok(())
}

/// The message's document and the parameters that it brings.
fn read(plan: &Plan, message: &Received) -> Result<(Value, Map<String, Value>), Reason> {
    let payload: Value = read_outside(unmarked(&message.payload)).map_err(|error| {
        let words = format!("it is no JSON document that can be taken: {error}");
        Reason::because(Class::BadInput, words, error)
    })?;
    let params = plan.bind_payload(&payload).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Reason::from(lines.join("; "))
    })?;
    Ok((payload, params))
}

/// The ledger row that the message's run brings with it. Messages that are never sent again have none.
async fn entry(
    inbound: &Inbound,
    under_way: &UnderWay,
    trigger: &str,
    message: &Received,
    session: i64,
    digest: Digest,
) -> Result<Option<LedgerEntry>, Reason> {
    let row = |identity: String, path: String| {
        Some(LedgerEntry { trigger: trigger.to_owned(), identity, path, stat: String::new() })
    };
    if message.retained {
        // The broker sends it with every new subscription, under another number each time.
        return Ok(row(format!("retained:{digest}"), message.topic.clone()));
    }
    if message.packet == 0 {
        return Ok(None);
    }
    let path = format!("packet {} of session {session}", message.packet);
    let slot = (trigger.to_owned(), path.clone());
    if message.again {
        let pending = lock(under_way).get(&slot).cloned();
        if let Some((_, identity)) = pending.filter(|(known, _)| *known == digest) {
            return Ok(row(identity, path));
        }
        let (readers, trigger, asked) = (inbound.tools.readers.clone(), trigger.to_owned(), path.clone());
        let rows = blocking(move || readers.with(|reader| reader.ledger_by_path(&trigger, &asked))).await?;
        let rows = rows.map_err(Reason::of)?;
        if let Some(known) = rows.first().filter(|row| row.identity.starts_with(&format!("{digest}:"))) {
            return Ok(row(known.identity.clone(), path));
        }
    }
    let identity = format!("{digest}:{}", inbound.tools.clock.now_us());
    lock(under_way).insert(slot, (digest, identity.clone()));
    Ok(row(identity, path))
}

impl Inbound {
    /// Records that a message started nothing.
    async fn decide(
        &self,
        trigger: &str,
        message: &Received,
        decision: DecisionKind,
        reason: String,
    ) -> Result<(), Reason> {
        let detail = format!("{reason}; the message: {}", printable(&message.payload));
        tracing::warn!(trigger, topic = message.topic, "{decision}: {detail}");
        let row = DecisionRow {
            trigger: trigger.to_owned(),
            subject: DecisionSubject::Named(message.topic.clone()),
            at_ms: self.tools.clock.now_ms(),
            decision: decision.into(),
            detail,
        };
        Ok(self.tools.write(vec![Write::Decision(row)]).await?)
    }

    /// The session that packet numbers belong to now: a new one when the broker has not kept ours.
    pub(super) async fn session(&self, broker: &str, kept: bool) -> Result<i64, Reason> {
        let key = format!("mqtt:{broker}");
        let (readers, asked) = (self.tools.readers.clone(), key.clone());
        let known = blocking(move || readers.with(|reader| reader.position(&asked))).await?;
        match known.map_err(Reason::of)? {
            Some(session) if kept => Ok(session),
            // Never one that there was before, whatever the clock says.
            known => {
                let session = known.map_or(0, |known| known + 1).max(self.tools.clock.now_ms());
                self.tools.write(vec![Write::Position { trigger: key, position_ms: session }]).await?;
                Ok(session)
            }
        }
    }

    /// Whether the broker has exactly these subscriptions in this session.
    pub(super) async fn has_subscriptions(&self, key: &str, session: i64) -> Result<bool, Reason> {
        let (readers, key) = (self.tools.readers.clone(), key.to_owned());
        let known = blocking(move || readers.with(|reader| reader.position(&key))).await?;
        Ok(known.map_err(Reason::of)? == Some(session))
    }

    /// Remembers in which session the broker has taken these subscriptions; 0 for none. Not waited for: lost, they are asked
    /// for once more. What is remembered later is written later.
    pub(super) fn keep_subscriptions(&self, key: String, session: i64) -> Result<(), Reason> {
        let writes = vec![Write::Position { trigger: key, position_ms: session }];
        Ok(self.tools.dispatch.keep(Txn::of(writes), Box::new(|| ()))?)
    }

    async fn keep(&self, message: Arc<Received>, hold: Hold) -> Result<ArtifactRef, Reason> {
        let not_stored = |error| Reason::disk(error).told(|text| format!("the message can not be stored: {text}"));
        let name = message.topic.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("message").to_owned();
        let media_type = trackside_spec::media_type(&name);
        if let Some(kept) = hold.store_small(&message.payload, &name, media_type).map_err(not_stored)? {
            return Ok(kept);
        }
        let stored = blocking(move || hold.store(&mut message.payload.as_slice(), &name, media_type));
        stored.await?.map_err(not_stored)
    }
}
