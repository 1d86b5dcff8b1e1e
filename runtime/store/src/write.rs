//! What can be written, and how each kind of row gets there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use rusqlite::{Transaction, params};
use trackside_engine::{RunEnd, RunId};
use trackside_facts::{Entry, Subject, artifacts_named};
use trackside_spec::{Digest, Plan};

use crate::{
    activations::{self, Activation},
    contents::Contents,
    cursors,
    drift_rows::{self, DriftRow},
    feedback::{self, DrawnVerdicts, PredictionBatch, SampleChange, SampleLabel, TruthRow},
    holdings::{self, EndedRun},
    holds::Hold,
    models::{self, AddedModel, MovedAlias, TestedModel},
    pauses::{self, PausedRow},
    prune::{self, Prune},
    references,
    requests::{self, Senders},
    results::{self, ResultRow},
    rollout_rows::{self, ChangedRollout, StartedRollout},
    run_rows::RunRows,
    samples::Samples,
    tokens::{self, TokenRow},
    trigger_rows::{self, DecisionRow},
    usage_rows::{self, UsageRow},
};

/// Writes that become durable together or not at all.
#[derive(Debug, Default)]
pub struct Txn {
    /// In order.
    pub writes: Vec<Write>,
    /// Artifacts that the writes refer to: files are flushed before the commit, small ones are written with it.
    pub artifacts: Vec<Digest>,
    /// What keeps them until the journal does. A small one that nobody holds any more is gone.
    pub holds: Vec<Hold>,
}

impl Txn {
    /// Writes that refer to no artifact.
    #[must_use]
    pub const fn of(writes: Vec<Write>) -> Self {
        Self { writes, artifacts: Vec::new(), holds: Vec::new() }
    }
}

/// One row's worth of change.
#[derive(Debug)]
pub enum Write {
    /// A run is accepted. Its first journal entry follows in the same transaction.
    Run(NewRun),
    /// Events of a run.
    Journal {
        /// Which run.
        run: RunId,
        /// When, milliseconds since 1970.
        at_ms: i64,
        /// Its events.
        entry: Entry,
        /// Set when the run's last event is among them.
        ended: Option<Ended>,
    },
    /// How far a consumer of the journal has come.
    Cursor {
        /// The consumer's name.
        consumer: &'static str,
        /// The last entry that it has worked in.
        seq: i64,
    },
    /// What was used, to be added to its workflow and day.
    Usage(UsageRow),
    /// Runs of a workflow have ended and hold so much.
    Held {
        /// The workflow's name.
        workflow: String,
        /// What each of them holds.
        ended: Vec<EndedRun>,
    },
    /// The artifacts that an entry names, where they were not counted when it was written.
    Counted {
        /// Whose entry.
        run: RunId,
        /// The artifacts.
        artifacts: Vec<Digest>,
    },
    /// All entries are counted.
    AllCounted,
    /// Retention removes something.
    Prune(Prune),
    /// A file was seen by a trigger.
    Ledger {
        /// The trigger's id.
        trigger: String,
        /// What makes the file itself.
        identity: String,
        /// The run that it started; none when it was there before the trigger and is to be left alone.
        run: Option<RunId>,
        /// Where it lay.
        path: String,
        /// Size, times and inode, in the trigger's own notation.
        stat: String,
        /// When, milliseconds since 1970.
        at_ms: i64,
    },
    /// A request that has no identity, so that it can not come again, has started a run. It is remembered as long as the run.
    Request {
        /// The trigger's id.
        trigger: String,
        /// Where it came in.
        path: String,
        /// The run that it started.
        run: RunId,
    },
    /// A file that started a run has been taken out of the watched folder.
    Claimed {
        /// The trigger's id.
        trigger: String,
        /// What makes the file itself.
        identity: String,
    },
    /// How far a trigger has come.
    Position {
        /// The trigger's id.
        trigger: String,
        /// Milliseconds since 1970.
        position_ms: i64,
    },
    /// What a trigger remembers.
    TriggerState {
        /// The trigger's id.
        trigger: String,
        /// What of it.
        key: &'static str,
        /// JSON, the trigger's own.
        value: String,
    },
    /// A trigger decided to start no run.
    Decision(DecisionRow),
    /// Somebody paused a trigger.
    Paused(PausedRow),
    /// Somebody resumed a trigger.
    Resumed {
        /// The trigger's id.
        trigger: String,
        /// When, milliseconds since 1970.
        at_ms: i64,
        /// Who.
        by: String,
    },
    /// A schedule time waits for a run of its trigger to end.
    CronQueued {
        /// The trigger's id.
        trigger: String,
        /// Which time, milliseconds since 1970.
        logical_ms: i64,
        /// How many missed times it stands for besides.
        missed: u32,
    },
    /// A schedule time waits no longer: its run starts in the same transaction.
    CronDequeued {
        /// The trigger's id.
        trigger: String,
        /// Which time, milliseconds since 1970.
        logical_ms: i64,
    },
    /// No schedule time of a trigger waits any longer: the trigger is gone, or is a new one.
    CronCleared {
        /// The trigger's id.
        trigger: String,
    },
    /// A definition is in use from now on, or a workflow is not any more.
    Activated(Activation),
    /// A version of a model is in the registry from now on; its folder is there.
    ModelAdded(AddedModel),
    /// An alias of a model names another version.
    ModelAliasMoved(MovedAlias),
    /// A version of a model is in the registry no more; its folder goes after the commit.
    ModelRemoved {
        /// The model's name.
        name: String,
        /// The version.
        version: u32,
        /// When, milliseconds since 1970.
        at_ms: i64,
        /// Who.
        by: String,
    },
    /// A version of a model was tested.
    ModelTested(TestedModel),
    /// What is watched for drift stands so now.
    Drift(Box<DriftRow>),
    /// A reference of drift is to be made anew.
    DriftReset {
        /// Of what.
        subject: Subject,
        /// When, milliseconds since 1970.
        at_ms: i64,
        /// Who wants it.
        by: String,
    },
    /// What models said.
    Predictions(Box<PredictionBatch>),
    /// What would have been right.
    Truth(Box<TruthRow>),
    /// Inputs that are kept for a label, and that go.
    Samples(SampleChange),
    /// What would have been right for an input that is kept.
    SampleLabelled(SampleLabel),
    /// What follows from truths.
    VerdictsDrawn(DrawnVerdicts),
    /// A rollout begins.
    RolloutStarted(Box<StartedRollout>),
    /// A rollout stands otherwise, or was counted on.
    RolloutChanged(Box<ChangedRollout>),
    /// A token was made.
    TokenMade(TokenRow),
    /// A token was revoked.
    TokenRevoked {
        /// Its name.
        name: String,
        /// When, milliseconds since 1970.
        at_ms: i64,
        /// Who.
        by: String,
    },
    /// All runs before this one have ended.
    LiveFrom {
        /// The oldest live run.
        run: RunId,
    },
    /// A plugin's state.
    State {
        /// Whose.
        workflow: String,
        /// A step id, or empty for the workflow's own.
        scope: String,
        /// Which entry.
        key: String,
        /// The new value; none removes the entry.
        value: Option<Vec<u8>>,
        /// When it lapses, milliseconds since 1970.
        expires_ms: Option<i64>,
    },
    /// An effect to carry out.
    Outbox {
        /// Whose.
        run: RunId,
        /// The step's index.
        step: u16,
        /// Which item of a step with `foreach`.
        item: Option<u32>,
        /// Its place in the step's outbox.
        entry: u32,
        /// The carrier's own JSON.
        body: String,
    },
    /// An effect is done, or given up.
    OutboxDone {
        /// The row's id.
        id: i64,
    },
    /// A result of a pure step that may stand for later attempts.
    Kept {
        /// Digest of everything that made it.
        key: Digest,
        /// The result.
        result: ResultRow,
    },
    /// A kept result stood for an attempt.
    KeptUsed {
        /// Which.
        key: Digest,
    },
    /// What an attempt logged.
    Log {
        /// Whose.
        run: RunId,
        /// The step's index.
        step: u16,
        /// Which item of a step with `foreach`.
        item: Option<u32>,
        /// Which attempt.
        attempt: u32,
        /// JSON lines.
        lines: String,
    },
}

/// A run as it is accepted.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub run: RunId,
    /// The definition that it starts with, kept with it.
    pub plan: Arc<Plan>,
    /// The trigger's kind.
    pub trigger: String,
    /// When, milliseconds since 1970.
    pub started_ms: i64,
}

/// A run's end.
#[derive(Debug, Clone)]
pub struct Ended {
    /// How.
    pub end: RunEnd,
    /// One line for people.
    pub error: Option<String>,
}

/// What the writer knows of the database, so that the hot path does not ask again. After a transaction that failed it knows nothing.
#[derive(Default)]
pub(crate) struct Known {
    /// Rows of definitions.
    pub(crate) definitions: HashMap<Digest, i64>,
    /// Rows of all that ever had a run by this process, also in a transaction that failed and is tried again: they stay.
    pub(crate) used: HashSet<i64>,
    pub(crate) samples: Samples,
    pub(crate) senders: Senders,
}

impl Known {
    pub(crate) fn clear(&mut self) {
        self.definitions.clear();
        self.samples.clear();
        self.senders.clear();
    }
}

pub(crate) fn apply(
    txn: &Transaction<'_>,
    write: &Write,
    contents: &mut Contents<'_>,
    known: &mut Known,
    runs: &mut RunRows,
) -> rusqlite::Result<()> {
    match write {
        Write::Run(new) => {
            let definition = definition_row(txn, &new.plan, known)?;
            runs.begin(new.run, definition, &new.trigger, new.started_ms);
        }
        Write::Journal { run, at_ms, entry, ended } => {
            let (definition, previous) = runs.head(txn, *run)?;
            let (text, packed) = match entry {
                Entry::Json(text) => (text.as_str(), None),
                Entry::Packed(bytes) => ("", Some(bytes)),
            };
            let pressed = match packed {
                Some(bytes) => known.samples.press(txn, definition, bytes)?,
                None => None,
            };
            let packed = pressed.as_ref().or(packed);
            txn.prepare_cached(
                "INSERT INTO journal (run, previous, at_ms, events, packed) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![run.as_i64(), previous, at_ms, text, packed])?;
            runs.entered(*run, txn.last_insert_rowid(), *at_ms, ended.as_ref());
            references::count(txn, contents, *run, entry.artifacts())?;
        }
        Write::Cursor { consumer, seq } => cursors::set(txn, consumer, *seq)?,
        Write::Usage(row) => usage_rows::add(txn, row)?,
        Write::Held { workflow, ended } => holdings::enter(txn, workflow, ended)?,
        Write::Counted { run, artifacts: named } => references::count(txn, contents, *run, named.iter().copied())?,
        Write::AllCounted => {
            txn.prepare_cached("UPDATE uncounted SET seq = 0")?.execute([])?;
        }
        Write::Prune(what) => prune::prune(txn, what, contents, known)?,
        Write::Ledger { trigger, identity, run, path, stat, at_ms } => {
            let new = txn
                .prepare_cached(
                    "INSERT INTO ledger (trigger, identity, run, path, stat, claimed, at_ms)
                     VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![trigger, identity, run.map(RunId::as_i64), path, stat, at_ms])?;
            if let (0, Some(run)) = (new, run) {
                tracing::error!(%run, trigger, identity, "[TS-0208] a bug: what this run was started for has had one");
            }
        }
        Write::Request { trigger, path, run } => requests::enter(txn, &mut known.senders, (trigger, path), *run)?,
        Write::Claimed { trigger, identity } => {
            txn.prepare_cached("UPDATE ledger SET claimed = 1 WHERE trigger = ?1 AND identity = ?2")?
                .execute(params![trigger, identity])?;
        }
        Write::Position { trigger, position_ms } => {
            txn.prepare_cached(
                "INSERT INTO triggers (trigger, position_ms) VALUES (?1, ?2)
                 ON CONFLICT (trigger) DO UPDATE SET position_ms = excluded.position_ms",
            )?
            .execute(params![trigger, position_ms])?;
        }
        Write::TriggerState { trigger, key, value } => trigger_rows::remember(txn, trigger, key, value)?,
        Write::Decision(row) => trigger_rows::decide(txn, row)?,
        Write::Paused(row) => pauses::pause(txn, row)?,
        Write::Resumed { trigger, at_ms, by } => pauses::resume(txn, trigger, *at_ms, by)?,
        Write::CronQueued { trigger, logical_ms, missed } => trigger_rows::queue(txn, trigger, *logical_ms, *missed)?,
        Write::CronDequeued { trigger, logical_ms } => trigger_rows::dequeue(txn, trigger, *logical_ms)?,
        Write::CronCleared { trigger } => trigger_rows::clear_queue(txn, trigger)?,
        Write::Activated(activation) => {
            let definition = activation.plan.as_ref().map(|plan| definition_row(txn, plan, known)).transpose()?;
            activations::keep(txn, activation, definition)?;
        }
        Write::ModelAdded(added) => models::add(txn, added)?,
        Write::ModelAliasMoved(moved) => models::move_alias(txn, moved)?,
        Write::ModelRemoved { name, version, at_ms, by } => models::remove(txn, name, *version, *at_ms, by)?,
        Write::ModelTested(tested) => models::tested(txn, tested)?,
        Write::Drift(row) => drift_rows::keep(txn, row)?,
        Write::DriftReset { subject, at_ms, by } => drift_rows::reset(txn, subject, *at_ms, by)?,
        Write::Predictions(batch) => feedback::enter_predictions(txn, batch)?,
        Write::Truth(row) => feedback::tell(txn, row)?,
        Write::Samples(change) => feedback::change_samples(txn, change)?,
        Write::SampleLabelled(told) => feedback::label_sample(txn, told)?,
        Write::VerdictsDrawn(drawn) => feedback::draw(txn, drawn)?,
        Write::RolloutStarted(started) => rollout_rows::start(txn, started)?,
        Write::RolloutChanged(changed) => rollout_rows::change(txn, changed)?,
        Write::TokenMade(row) => tokens::make(txn, row)?,
        Write::TokenRevoked { name, at_ms, by } => tokens::revoke(txn, name, *at_ms, by)?,
        Write::LiveFrom { run } => {
            txn.prepare_cached("UPDATE live_from SET run = ?1")?.execute([run.as_i64()])?;
        }
        Write::State { workflow, scope, key, value: Some(value), expires_ms } => {
            txn.prepare_cached(
                "INSERT INTO state (workflow, scope, key, value, version, expires_ms) VALUES (?1, ?2, ?3, ?4, 1, ?5)
                 ON CONFLICT (workflow, scope, key) DO UPDATE
                 SET value = excluded.value, version = version + 1, expires_ms = excluded.expires_ms",
            )?
            .execute(params![workflow, scope, key, value, expires_ms])?;
        }
        Write::State { workflow, scope, key, value: None, .. } => {
            txn.prepare_cached("DELETE FROM state WHERE workflow = ?1 AND scope = ?2 AND key = ?3")?
                .execute(params![workflow, scope, key])?;
        }
        Write::Outbox { run, step, item, entry, body } => {
            txn.prepare_cached("INSERT INTO outbox (run, step, item, entry, body) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![run.as_i64(), step, item, entry, body])?;
            // What is to be delivered stays as long as the run, and that stays until its effects are carried out.
            references::count(txn, contents, *run, artifacts_named(body))?;
        }
        Write::OutboxDone { id } => {
            txn.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute(params![id])?;
        }
        Write::Kept { key, result } => results::keep(txn, key, result)?,
        Write::KeptUsed { key } => results::used(txn, key)?,
        Write::Log { run, step, item, attempt, lines } => {
            let item = item.map_or(-1, i64::from);
            txn.prepare_cached(
                "INSERT OR REPLACE INTO logs (run, step, item, attempt, lines) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![run.as_i64(), step, item, attempt, lines])?;
        }
    }
    Ok(())
}

fn definition_row(txn: &Transaction<'_>, plan: &Plan, known: &mut Known) -> rusqlite::Result<i64> {
    if let Some(id) = known.definitions.get(&plan.digest) {
        return Ok(*id);
    }
    let digest = plan.digest.to_string();
    txn.prepare_cached("INSERT INTO definitions (digest, name, source) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![digest, plan.name, plan.source])?;
    let id = txn
        .prepare_cached("SELECT id FROM definitions WHERE digest = ?1")?
        .query_row(params![digest], |row| row.get(0))?;
    known.definitions.insert(plan.digest, id);
    known.used.insert(id);
    Ok(id)
}
