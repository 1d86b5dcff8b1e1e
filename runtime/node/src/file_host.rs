//! What the file trigger needs of the node.

use std::{
    io::{self, Read},
    sync::{Arc, mpsc::Sender},
};

use serde_json::{Map, json};
use trackside_spec::ArtifactRef;
use trackside_store::{Artifacts, Clock, LedgerRow, StoreError, Txn, Write};
use trackside_triggers::files::{
    FileDecision, FileFire, FileHost, FileStat, FireOutcome, FireReply, FolderNotice, LedgerState, SeenFile,
};

use crate::{
    core::{Fire, FireAnswer, Input, LedgerEntry},
    dispatcher::Message,
    readers::Readers,
    time::rfc3339,
};

/// The node as the file trigger sees it.
pub struct NodeFileHost {
    /// To the dispatcher.
    pub inbox: Sender<Message>,
    /// The committed ledger.
    pub readers: Arc<Readers>,
    /// Where files go.
    pub artifacts: Arc<Artifacts>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

impl NodeFileHost {
    /// Hands rows to the dispatcher and waits until they are on disk.
    fn keep(&self, writes: Vec<Write>) -> io::Result<()> {
        let (done, kept) = std::sync::mpsc::channel();
        let tell = Box::new(move || {
            // Nobody waits any more only when this thread is being ended.
            let _ = done.send(());
        });
        let input = Input::Keep(Txn { writes, artifacts: Vec::new() }, tell);
        let closed = || io::Error::other("the node is going down");
        self.inbox.send(Message::Input(input)).map_err(|_| closed())?;
        kept.recv().map_err(|_| closed())
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
    let LedgerRow { identity, run, path, claimed, .. } = row;
    Some(LedgerState { identity, started: run.is_some(), claimed, path, stat })
}

fn refused(error: StoreError) -> io::Error {
    io::Error::other(error)
}

impl FileHost for NodeFileHost {
    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn store_file(&self, content: &mut dyn Read, name: &str, media_type: &str) -> io::Result<ArtifactRef> {
        self.artifacts.store(content, name, media_type)
    }

    fn lookup(&self, trigger_id: &str, identity: &str) -> io::Result<Option<LedgerState>> {
        let row = self.readers.with(|reader| reader.ledger(trigger_id, identity)).map_err(refused)?;
        Ok(row.and_then(ledger_state))
    }

    fn lookup_stat(&self, trigger_id: &str, relative: &str, stat: FileStat) -> io::Result<Option<LedgerState>> {
        let rows = self.readers.with(|reader| reader.ledger_by_path(trigger_id, relative)).map_err(refused)?;
        Ok(rows.into_iter().filter_map(ledger_state).find(|state| state.stat == stat))
    }

    fn fire(&self, fire: FileFire, reply: FireReply) {
        let mut file = fire.artifact.to_json();
        file["name"] = fire.name.clone().into();
        file["path"] = fire.relative.clone().into();
        file["modified_ms"] = fire.modified_ms.into();
        let trigger = json!({
            "kind": "file",
            "id": fire.trigger_id,
            "logical_time": rfc3339(fire.logical_ms),
            "logical_time_ms": fire.logical_ms,
            "file": file,
        });
        let wish = Fire {
            workflow: fire.workflow,
            kind: "file".to_owned(),
            trigger,
            params: Map::new(),
            logical_time_ms: fire.logical_ms,
            ledger: Some(LedgerEntry {
                trigger: fire.trigger_id,
                identity: fire.identity,
                path: fire.relative,
                stat: stat_text(fire.stat),
            }),
            artifacts: vec![fire.artifact.digest],
        };
        let answer = move |answer: FireAnswer| {
            reply.send(match answer {
                FireAnswer::Accepted(_) => FireOutcome::Accepted,
                FireAnswer::Duplicate(path) => FireOutcome::Duplicate { path },
                FireAnswer::Refused(reason) => FireOutcome::Refused { reason },
                FireAnswer::Busy => FireOutcome::Busy,
                FireAnswer::Skipped(reason) => FireOutcome::Refused { reason },
            });
        };
        // When the dispatcher is gone the reply is dropped, which means "not now".
        let _ = self.inbox.send(Message::Input(Input::Fire(Box::new(wish), Box::new(answer))));
    }

    fn claimed(&self, trigger_id: &str, identity: &str) {
        let input = Input::Claimed { trigger: trigger_id.to_owned(), identity: identity.to_owned() };
        // Lost in a shutdown, it is found again by the next scan.
        let _ = self.inbox.send(Message::Input(input));
    }

    fn decision(&self, decision: FileDecision) {
        tracing::warn!(trigger = decision.trigger_id, file = decision.relative, "{}", decision.decision);
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

    fn notice(&self, trigger_id: &str, notice: FolderNotice) {
        match notice {
            FolderNotice::Watching { .. } => tracing::info!(trigger = trigger_id, "{notice}"),
            FolderNotice::HostFailed { .. } => tracing::error!(trigger = trigger_id, "{notice}"),
            _ => tracing::warn!(trigger = trigger_id, "{notice}"),
        }
    }
}
