//! What the file trigger needs of the node.

use std::{
    collections::HashMap,
    io::{self, Read},
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::Map;
use trackside_facts::{Cause, DecisionKind, DecisionSubject, RunFile, TriggerDocument};
use trackside_spec::{ArtifactRef, Digest};
use trackside_store::{Artifacts, Clock, DecisionRow, Hold, LedgerRow, Readers, StoreError, Txn, Write};
use trackside_sync::lock;
use trackside_triggers::files::{
    Decision, FileDecision, FileFire, FileHost, FileStat, FireOutcome, FireReply, FiredFile, FolderNotice, LedgerState,
    SeenFile,
};

use super::pauses::Pauses;
use crate::{
    dispatch::{Dispatch, ask_and_wait},
    tools::Tools,
    wish::{Fire, FireAnswer, LedgerEntry},
};

/// What keeps the files that were picked up: one for each time that their content was.
type PickedUp = HashMap<Digest, Vec<Hold>>;

/// The node as the file trigger sees it.
pub(super) struct NodeFileHost {
    dispatch: Arc<dyn Dispatch>,
    /// The committed ledger.
    readers: Arc<Readers>,
    /// Where files go.
    artifacts: Arc<Artifacts>,
    clock: Arc<dyn Clock>,
    pauses: Arc<Pauses>,
    /// Files that were picked up and have no run yet. One whose file goes away before that stays here until its content
    /// comes again or the node ends.
    picked_up: Arc<Mutex<PickedUp>>,
}

impl NodeFileHost {
    pub(super) fn new(tools: &Tools) -> Self {
        let Tools { dispatch, readers, artifacts, clock, pauses, .. } = tools.clone();
        Self { dispatch, readers, artifacts, clock, pauses, picked_up: Arc::default() }
    }

    fn picked_up(&self) -> MutexGuard<'_, PickedUp> {
        lock(&self.picked_up)
    }

    /// Hands rows to the dispatcher and waits until they are on disk.
    fn keep(&self, writes: Vec<Write>) -> io::Result<()> {
        ask_and_wait(|done| self.dispatch.keep(Txn::of(writes), Box::new(move || done(())))).map_err(io::Error::other)
    }
}

fn stat_text(stat: FileStat) -> String {
    format!("{}:{}:{}", stat.size, stat.modified_ns, stat.inode)
}

fn parse_stat(text: &str) -> Option<FileStat> {
    let mut parts = text.split(':');
    let stat = FileStat {
        size: parts.next()?.parse().ok()?,
        modified_ns: parts.next()?.parse().ok()?,
        inode: parts.next()?.parse().ok()?,
    };
    Some(stat)
}

fn ledger_state(row: LedgerRow) -> Option<LedgerState> {
    let stat = parse_stat(&row.stat)?;
    let LedgerRow { identity, run, path, claimed, at_ms, .. } = row;
    Some(LedgerState { identity, started: run.is_some(), claimed, path, stat, at_ms })
}

/// `trigger.file`, or one of `trigger.files`.
fn run_file(fired: &FiredFile) -> RunFile {
    RunFile {
        artifact: fired.artifact.clone(),
        name: fired.name.clone(),
        path: fired.relative.clone(),
        modified_ms: fired.modified_ms,
    }
}

fn refused(error: StoreError) -> io::Error {
    io::Error::other(error)
}

impl FileHost for NodeFileHost {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn store_file(&self, content: &mut dyn Read, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        let hold = Hold::new(&self.artifacts);
        let stored = hold.store(content, name, media_type)?;
        self.picked_up().entry(stored.digest).or_default().push(hold);
        Ok(stored)
    }

    fn lookup(&self, trigger_id: &str, identity: &str) -> io::Result<Option<LedgerState>> {
        let row = self.readers.with(|reader| reader.ledger(trigger_id, identity)).map_err(refused)?;
        Ok(row.and_then(ledger_state))
    }

    fn lookup_path(&self, trigger_id: &str, relative: &str) -> io::Result<Vec<LedgerState>> {
        let rows = self.readers.with(|reader| reader.ledger_by_path(trigger_id, relative)).map_err(refused)?;
        Ok(rows.into_iter().filter_map(ledger_state).collect())
    }

    fn fire(&self, fire: FileFire, reply: FireReply) {
        let cause = match fire.files.as_slice() {
            [file] if !fire.batch => Cause::File(run_file(file)),
            files => Cause::Files(files.iter().map(run_file).collect()),
        };
        let kind = cause.run_kind();
        let trigger = TriggerDocument::new(&fire.trigger_id, fire.logical_ms, cause);
        let artifacts: Vec<Digest> = fire.files.iter().map(|file| file.artifact.digest).collect();
        let (picked_up, digests) = (self.picked_up.clone(), artifacts.clone());
        let ledger = fire.files.into_iter().map(|file| LedgerEntry {
            trigger: fire.trigger_id.clone(),
            identity: file.identity,
            path: file.relative,
            stat: stat_text(file.stat),
        });
        let wish = Fire {
            workflow: fire.workflow,
            kind,
            trigger,
            params: Map::new(),
            logical_time_ms: fire.logical_ms,
            ledger: ledger.collect(),
            artifacts,
            // They are kept until the answer says what became of them.
            hold: None,
            rows: Vec::new(),
        };
        let answer = move |answer: FireAnswer| {
            if !matches!(answer, FireAnswer::Busy | FireAnswer::Paused) {
                let mut picked_up = lock(&picked_up);
                for digest in &digests {
                    let left =
                        picked_up.get_mut(digest).is_some_and(|holds| holds.pop().is_some() && !holds.is_empty());
                    if !left {
                        picked_up.remove(digest);
                    }
                }
            }
            reply.send(match answer {
                FireAnswer::Accepted(_) => FireOutcome::Accepted,
                FireAnswer::Duplicate(path) => FireOutcome::Duplicate { path },
                FireAnswer::Refused(reason) => FireOutcome::Refused { reason },
                // Offered again it is left alone, because the watcher knows of the pause by then.
                FireAnswer::Busy | FireAnswer::Paused => FireOutcome::Busy,
                FireAnswer::Skipped(reason) => FireOutcome::Skipped { reason },
            });
        };
        // When the dispatcher is gone the reply is dropped, which means "not now".
        let _ = self.dispatch.fire(wish, Box::new(answer));
    }

    fn claimed(&self, trigger_id: &str, identity: &str) {
        // Lost in a shutdown, it is found again by the next scan.
        let _ = self.dispatch.claimed(trigger_id, identity);
    }

    fn decision(&self, decision: FileDecision) {
        // Left out on purpose, it is worth no line.
        if decision.decision == Decision::Excluded {
            tracing::debug!(trigger = decision.trigger_id, file = decision.relative, "{}", decision.decision);
        } else {
            tracing::warn!(trigger = decision.trigger_id, file = decision.relative, "{}", decision.decision);
        }
        let row = DecisionRow {
            trigger: decision.trigger_id,
            subject: DecisionSubject::Named(decision.relative),
            at_ms: self.clock.now_ms(),
            decision: decision.decision.kind().into(),
            detail: decision.decision.to_string(),
        };
        let txn = Txn::of(vec![Write::Decision(row)]);
        // Nobody waits for it; lost in a crash, it is taken again.
        let _ = self.dispatch.keep(txn, Box::new(|| ()));
    }

    fn first_seen(&self, trigger_id: &str) -> io::Result<bool> {
        let position = self.readers.with(|reader| reader.position(trigger_id)).map_err(refused)?;
        Ok(position.is_none())
    }

    fn record_existing(&self, trigger_id: &str, files: &[SeenFile]) -> io::Result<()> {
        let at_ms = self.clock.now_ms();
        let row = |file: &SeenFile| Write::Ledger {
            trigger: trigger_id.to_owned(),
            identity: format!("existing:{}:{}", stat_text(file.stat), file.relative),
            run: None,
            path: file.relative.clone(),
            stat: stat_text(file.stat),
            at_ms,
        };
        self.keep(files.iter().map(row).collect())
    }

    fn scanned(&self, trigger_id: &str) -> io::Result<()> {
        self.keep(vec![Write::Position { trigger: trigger_id.to_owned(), position_ms: self.clock.now_ms() }])
    }

    fn note_name(&self, trigger_id: &str, taken: &str, name: &str) -> io::Result<()> {
        self.keep(vec![Write::Decision(DecisionRow {
            trigger: trigger_id.to_owned(),
            subject: DecisionSubject::Named(taken.to_owned()),
            at_ms: self.clock.now_ms(),
            decision: DecisionKind::Taken.into(),
            detail: name.to_owned(),
        })])
    }

    fn whole_name(&self, trigger_id: &str, taken: &str) -> io::Result<Option<String>> {
        let rows = self.readers.with(|reader| reader.decisions(trigger_id, Some(taken), 16)).map_err(refused)?;
        Ok(rows.into_iter().find(|row| row.decision == DecisionKind::Taken).map(|row| row.detail))
    }

    fn is_paused(&self, trigger_id: &str) -> bool {
        self.pauses.contains(trigger_id)
    }

    fn notice(&self, trigger_id: &str, notice: FolderNotice) {
        match notice {
            FolderNotice::Watching { .. } | FolderNotice::Backlog { .. } => {
                tracing::info!(trigger = trigger_id, "{notice}")
            }
            FolderNotice::HostFailed { .. } => tracing::error!(trigger = trigger_id, "{notice}"),
            _ => tracing::warn!(trigger = trigger_id, "{notice}"),
        }
    }
}
