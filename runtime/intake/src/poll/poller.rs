//! One trigger: looks when it is time, and makes a run, a decision or nothing of what it saw.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use trackside_codes::{Coded, Reason};
use trackside_facts::{Cause, DecisionKind, DecisionSubject, MessageContent, PollSight, PollState, TriggerDocument};
use trackside_spec::{ArtifactRef, Digest, Existing, MqttPayload, Plan, PollTrigger};
use trackside_store::{DecisionRow, Hold, Write};
use trackside_sync::lock;
use trackside_triggers::{cron::jitter_offset, hooks::payload::unmarked};

use super::{
    look::{Answer, LookError, Looked, Looker},
    version::{Rule, document},
    wait,
};
use crate::{
    dispatch::GoingDown,
    tools::{Tools, blocking},
    wish::{Fire, FireAnswer, LedgerEntry},
};

/// How long a change waits when the node has no room for its run.
const BUSY: Duration = Duration::from_secs(1);
/// Looks that saw nothing new are written down this often at most: flash wears.
const NOTED_EVERY: Duration = Duration::from_secs(900);
/// How long is waited when the database can not be read.
const UNREADABLE: Duration = Duration::from_secs(10);

/// One trigger's task.
pub(super) struct Poller {
    pub(super) tools: Tools,
    pub(super) trigger_id: String,
    pub(super) settings: PollTrigger,
    /// The definition in force: runs start on it.
    pub(super) plan: Arc<Mutex<Arc<Plan>>>,
    pub(super) box_id: String,
    /// How many look at one time, each with a body in memory.
    pub(super) room: Arc<Semaphore>,
}

/// A task under way.
struct Work {
    poller: Poller,
    looker: Looker,
    rule: Rule,
    state: PollState,
    /// When the state was last written.
    noted: Option<Instant>,
}

/// What a change brings to its run.
struct Brought {
    content: MessageContent,
    params: Map<String, Value>,
    artifacts: Vec<Digest>,
    hold: Hold,
}

impl Poller {
    /// Looks until it is stopped.
    pub(super) async fn work(self) {
        let state = self.remembered().await;
        let looker = Looker::new(&self.tools, self.settings.clone());
        let rule = Rule::new(&self.settings.changed);
        let mut work = Work { poller: self, looker, rule, state, noted: None };
        let mut wait = work.first_wait();
        loop {
            tokio::time::sleep(wait).await;
            work.poller.tools.pauses.until_resumed(&work.poller.trigger_id).await;
            match work.turn().await {
                Ok(next) => wait = next,
                // What was seen is seen again at the next start.
                Err(GoingDown) => return,
            }
        }
    }

    /// What it knows from before. Not on a guess: it could start a run twice.
    async fn remembered(&self) -> PollState {
        loop {
            let (readers, id) = (self.tools.readers.clone(), self.trigger_id.clone());
            let read = blocking(move || readers.with(|reader| reader.trigger_state(&id, PollState::KEY))).await;
            match read.and_then(|read| read.map_err(Reason::of)) {
                Ok(text) => {
                    let known = text.and_then(|text| PollState::read(&text)).unwrap_or_default();
                    let of = self.settings.key();
                    if known.of == of {
                        return known;
                    }
                    // Another URL or rule begins anew; its identities must not be those of before.
                    return PollState { of, changes: known.changes, ..PollState::default() };
                }
                Err(error) => {
                    let error = error.to_string();
                    tracing::error!(trigger = self.trigger_id, error, "what the trigger remembers can not be read");
                    tokio::time::sleep(UNREADABLE).await;
                }
            }
        }
    }

    fn decision(&self, decision: DecisionKind, detail: &str) -> Write {
        Write::Decision(DecisionRow {
            trigger: self.trigger_id.clone(),
            subject: DecisionSubject::Named(self.settings.shown_url().to_owned()),
            at_ms: self.tools.clock.now_ms(),
            decision: decision.into(),
            detail: detail.to_owned(),
        })
    }

    fn row(&self, state: &PollState) -> Write {
        Write::TriggerState { trigger: self.trigger_id.clone(), key: PollState::KEY, value: state.to_text() }
    }

    async fn store(&self, body: Vec<u8>, hold: Hold) -> Result<ArtifactRef, Reason> {
        let name = self.settings.shown_url().rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("body");
        let (name, media_type) = (name.to_owned(), trackside_spec::media_type(name));
        let not_stored = |error| Reason::disk(error).told(|text| format!("the body can not be stored: {text}"));
        if let Some(kept) = hold.store_small(&body, &name, media_type).map_err(not_stored)? {
            return Ok(kept);
        }
        let stored = blocking(move || hold.store(&mut body.as_slice(), &name, media_type)).await?;
        stored.map_err(not_stored)
    }
}

impl Work {
    fn first_wait(&self) -> Duration {
        let Poller { settings, tools, box_id, trigger_id, .. } = &self.poller;
        let every = settings.every.to_std();
        let since = tools.clock.now_ms().checked_sub(self.state.looked_ms).and_then(|ms| u64::try_from(ms).ok());
        let spread = trackside_spec::Duration::from_millis(wait::spread_of(every).as_millis().try_into().unwrap_or(0));
        let offset = u64::try_from(jitter_offset(box_id, trigger_id, spread)).unwrap_or(0);
        // A state that has never looked is from 1970.
        wait::first(every, since.map(Duration::from_millis), Duration::from_millis(offset))
    }

    /// One look and what becomes of it; gives how long it is until the next.
    async fn turn(&mut self) -> Result<Duration, GoingDown> {
        let room = self.poller.room.clone();
        // It is never closed.
        let _room = room.acquire().await;
        let looked = self.looker.look(&self.state).await;
        self.state.looked_ms = self.poller.tools.clock.now_ms();
        let (asked, done) = match looked.and_then(|looked| self.told(looked)) {
            Ok(None) => (None, self.unchanged(PollSight::Unchanged).await),
            Ok(Some((Value::Null, answer))) => {
                self.learn(&answer);
                (None, self.unchanged(PollSight::Nothing).await)
            }
            Ok(Some((version, answer))) if version == self.state.version => {
                self.learn(&answer);
                (None, self.unchanged(PollSight::Unchanged).await)
            }
            Ok(Some((version, answer))) => (None, self.changed(version, answer).await),
            Err(error) => (error.retry_after(), self.failed(&error).await),
        };
        done?;
        let chance = getrandom::u32().unwrap_or_default();
        Ok(wait::next(self.poller.settings.every.to_std(), self.state.failures, asked, chance))
    }

    /// The version of an answer; none when the server says that it is the known one.
    fn told(&self, looked: Looked) -> Result<Option<(Value, Answer)>, LookError> {
        match looked {
            Looked::Same => Ok(None),
            Looked::Answer(answer) => Ok(Some((self.rule.version(&answer)?, answer))),
        }
    }

    /// The server need not send this again.
    fn learn(&mut self, answer: &Answer) {
        self.state.etag.clone_from(&answer.etag);
        self.state.last_modified.clone_from(&answer.last_modified);
    }

    async fn unchanged(&mut self, saw: PollSight) -> Result<(), GoingDown> {
        let was_wrong = self.is_right_again();
        if was_wrong {
            self.state.problem = None;
        }
        let is_news = was_wrong || self.state.saw != saw && self.state.saw != PollSight::Changed;
        (self.state.saw, self.state.failures) = (saw, 0);
        if is_news || self.noted.is_none_or(|noted| noted.elapsed() >= NOTED_EVERY) {
            self.note(Vec::new()).await?;
        }
        Ok(())
    }

    /// Says that failures are over, where there were some.
    fn is_right_again(&self) -> bool {
        let was_wrong = self.state.failures > 0;
        if was_wrong {
            tracing::info!(trigger = self.poller.trigger_id, "the server gives what is asked for again");
        }
        was_wrong
    }

    /// Told once, until it is another failure or none.
    async fn failed(&mut self, error: &LookError) -> Result<(), GoingDown> {
        let detail = error.told();
        let is_news = self.state.failures == 0 || self.state.problem.as_ref() != Some(&detail);
        (self.state.saw, self.state.failures) = (PollSight::Failed, self.state.failures.saturating_add(1));
        if is_news {
            tracing::warn!(trigger = self.poller.trigger_id, url = self.poller.settings.shown_url(), "{detail}");
            let decision = self.poller.decision(DecisionKind::Blocked, &detail);
            self.state.problem = Some(detail);
            return self.note(vec![decision]).await;
        }
        if self.noted.is_none_or(|noted| noted.elapsed() >= NOTED_EVERY) {
            self.note(Vec::new()).await?;
        }
        Ok(())
    }

    async fn changed(&mut self, version: Value, answer: Answer) -> Result<(), GoingDown> {
        self.is_right_again();
        let mut next = PollState {
            of: self.state.of.clone(),
            changes: self.state.changes + 1,
            version: version.clone(),
            etag: answer.etag,
            last_modified: answer.last_modified,
            looked_ms: self.state.looked_ms,
            saw: PollSight::Changed,
            failures: 0,
            problem: None,
        };
        if self.state.version.is_null() && self.poller.settings.existing == Existing::Ignore {
            self.state = next;
            return self.note(Vec::new()).await;
        }
        let plan = lock(&self.poller.plan).clone();
        let decided = match self.bring(&plan, answer.body).await {
            Err(reason) => Some((DecisionKind::Blocked, reason.to_string())),
            Ok(brought) => match self.fire(&plan, &brought, &version, &next).await? {
                FireAnswer::Accepted(_) => None,
                FireAnswer::Duplicate(_) => Some((DecisionKind::Deduped, "this version has had its run".to_owned())),
                FireAnswer::Refused(reason) => Some((DecisionKind::Blocked, reason)),
                FireAnswer::Skipped(reason) => Some((DecisionKind::Skipped, reason)),
                // It is seen again when the trigger is resumed, or whatever has come by then.
                FireAnswer::Paused | FireAnswer::Busy => return Ok(()),
            },
        };
        match decided {
            None => (self.state, self.noted) = (next, Some(Instant::now())),
            Some((kind, reason)) => {
                tracing::warn!(trigger = self.poller.trigger_id, "{kind}: {reason}");
                let decision = self.poller.decision(kind, &reason);
                next.problem = Some(reason);
                self.state = next;
                self.note(vec![decision]).await?;
            }
        }
        Ok(())
    }

    /// What the run is given.
    async fn bring(&self, plan: &Plan, body: Vec<u8>) -> Result<Brought, Reason> {
        let hold = Hold::new(&self.poller.tools.artifacts);
        match self.poller.settings.payload {
            MqttPayload::Json => {
                let payload = document(unmarked(&body))?;
                let params = plan.bind_payload(&payload).map_err(|problems| {
                    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    Reason::from(lines.join("; "))
                })?;
                Ok(Brought { content: MessageContent::Payload(payload), params, artifacts: Vec::new(), hold })
            }
            MqttPayload::Artifact => {
                let body = self.poller.store(body, hold.clone()).await?;
                let artifacts = vec![body.digest];
                Ok(Brought { content: MessageContent::Body(body), params: Map::new(), artifacts, hold })
            }
        }
    }

    /// Asks for the run, for as long as the node has no room. What is remembered of it comes to the disk with it.
    async fn fire(
        &self,
        plan: &Plan,
        brought: &Brought,
        version: &Value,
        next: &PollState,
    ) -> Result<FireAnswer, GoingDown> {
        let Poller { tools, trigger_id, settings, .. } = &self.poller;
        let (url, now) = (settings.shown_url().to_owned(), tools.clock.now_ms());
        let previous = self.state.version.clone();
        let cause =
            Cause::Poll { url: url.clone(), version: version.clone(), previous, content: brought.content.clone() };
        let kind = cause.run_kind();
        let trigger = TriggerDocument::new(trigger_id, now, cause);
        // The same for as long as what is remembered is the same: seen again after a crash, it has one run.
        let identity =
            Digest::of(format!("{}\n{}\n{version}", self.state.of, self.state.changes).as_bytes()).to_string();
        let entry = LedgerEntry { trigger: trigger_id.clone(), identity, path: url, stat: String::new() };
        loop {
            let answer = tools.fire(Fire {
                workflow: plan.name.clone(),
                kind,
                trigger: trigger.clone(),
                params: brought.params.clone(),
                logical_time_ms: now,
                ledger: vec![entry.clone()],
                artifacts: brought.artifacts.clone(),
                hold: Some(brought.hold.clone()),
                rows: vec![self.poller.row(next)],
            });
            match answer.await? {
                FireAnswer::Busy => tokio::time::sleep(BUSY).await,
                answer => return Ok(answer),
            }
        }
    }

    /// Writes what it remembers, with `rows`, and waits for the disk.
    async fn note(&mut self, mut rows: Vec<Write>) -> Result<(), GoingDown> {
        rows.push(self.poller.row(&self.state));
        self.poller.tools.write(rows).await?;
        self.noted = Some(Instant::now());
        Ok(())
    }
}
