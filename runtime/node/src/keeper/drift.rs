//! Windows of drift that have closed, and the alarms that they raise.

use std::time::Duration;

use trackside_facts::{DriftAlarm, Subject, SubjectEvent};
use trackside_serving::{
    ServeError,
    drift::{DriftState, Due, Key, KeyKind, Saved, Turn},
};
use trackside_spec::DriftTurn;
use trackside_store::{DriftRow, DriftWindowRow, Write};
use trackside_sync::lock;

use super::{AGAIN, Part, Tools};
use crate::node::NodeError;

/// Windows of drift that have closed.
#[derive(Default)]
pub(super) struct Windows {
    /// Whether it is known where all stood at the start.
    begun: bool,
}

impl Windows {
    fn keep(&mut self, tools: &Tools, last: bool) -> Result<Option<Duration>, NodeError> {
        let board = tools.serving().board().clone();
        if !std::mem::replace(&mut self.begun, true) {
            for row in tools.handle().readers().with(|reader| reader.drift(None))? {
                let Some((kind, name)) = row.subject.split_once('/') else { continue };
                let kind = if kind == "model" { KeyKind::Model } else { KeyKind::Dataset };
                board.stood(kind, name, row.version, state_of(&row.drift));
            }
        }
        // Whoever has it made anew waits for the commit, and this one for him.
        let _keeping = lock(&board.keeping);
        for key in board.wanted() {
            let subject = subject(&key);
            let found = tools.handle().readers().with(|reader| reader.drift_state(&subject, key.version))?;
            let saved = found.map(|(content, state, drift)| Saved { content, state, drift: state_of(&drift) });
            board.load(&key, saved.as_ref());
        }
        let (due, sleep) = board.due(last);
        for due in &due {
            if is_gone(tools, &due.key) {
                board.forget(&due.key);
                continue;
            }
            let now_ms = tools.now_ms();
            let writes = vec![Write::Drift(Box::new(row(due, now_ms)))];
            let alarms: Vec<_> = due.turns.iter().map(|turn| alarm(&due.key, turn, now_ms)).collect();
            if alarms.is_empty() {
                tools.keep(writes)?;
            } else if !tools.handle().keep_drift(writes, alarms)? {
                // There is no room for the runs that would start: what has closed waits.
                return Ok(Some(AGAIN));
            }
            board.kept(due);
            for turn in &due.turns {
                tell(&due.key, turn);
            }
        }
        for (name, alarm) in board.models() {
            tools.serving().drifts(&name, alarm);
        }
        Ok(sleep)
    }
}

impl Part for Windows {
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        self.keep(tools, false)
    }

    fn end(&mut self, tools: &Tools) -> Result<(), NodeError> {
        self.keep(tools, true).map(drop)
    }
}

/// Whether it is a version that was removed: its rows went with it.
fn is_gone(tools: &Tools, key: &Key) -> bool {
    let Key { kind, name, version, .. } = key;
    *kind == KeyKind::Model
        && match tools.serving().entry(name) {
            Ok(entry) => !entry.versions.contains_key(version),
            Err(error) => matches!(error, ServeError::UnknownModel { .. }),
        }
}

/// What an alarm is about, as logs have it.
fn tell(key: &Key, turn: &Turn) {
    let (name, version, window) = (&key.name, key.version, turn.window);
    if turn.raised {
        tracing::warn!(name, version, window, "drift: {}", turn.words);
    } else {
        tracing::info!(name, version, window, "drift is over");
    }
}

/// What starts runs: with what makes it itself. An alarm is told once; a reference that was made anew counts its windows anew, so the
/// time is part of that.
fn alarm(key: &Key, turn: &Turn, now_ms: i64) -> (String, DriftAlarm) {
    let (kind, version) = match key.kind {
        KeyKind::Model => ("model", Some(key.version)),
        KeyKind::Dataset => ("dataset", None),
    };
    let turned = if turn.raised { DriftTurn::Raised } else { DriftTurn::Cleared }.name();
    let identity = format!("drift:{kind}/{}@{}:{}:{turned}:{now_ms}", key.name, key.version, turn.window);
    let alarm = DriftAlarm {
        name: key.name.clone(),
        kind,
        version,
        turn: turned,
        window: turn.window,
        columns: turn.columns.clone(),
        words: turn.words.clone(),
    };
    (identity, alarm)
}

/// Under which name the journal has it.
pub(crate) fn subject(key: &Key) -> Subject {
    match key.kind {
        KeyKind::Model => Subject::Model(key.name.clone()),
        KeyKind::Dataset => Subject::Dataset(key.name.clone()),
    }
}

fn row(due: &Due, now_ms: i64) -> DriftRow {
    let version = matches!(due.key.kind, KeyKind::Model).then_some(due.key.version);
    let mut events = Vec::new();
    if let (true, Some(reference)) = (due.completed, &due.reference) {
        let (rows, windows) = (reference.rows, reference.windows);
        events.push((now_ms, SubjectEvent::DriftReference { version, rows, windows }));
    }
    events.extend(due.turns.iter().map(|turn| {
        let Turn { raised, window, columns, words, .. } = turn.clone();
        let event = if raised {
            SubjectEvent::DriftAlarm { version, window, columns, words }
        } else {
            SubjectEvent::DriftCleared { version, window }
        };
        (now_ms, event)
    }));
    // Made of texts and numbers: nothing in it can not be written.
    let window = |window: &trackside_serving::drift::WindowDocument| DriftWindowRow {
        number: window.number,
        to_ms: window.to_ms,
        says: match window.says {
            trackside_serving::drift::Says::Nothing => "nothing",
            trackside_serving::drift::Says::Calm => "calm",
            trackside_serving::drift::Says::Drift => "drift",
        }
        .to_owned(),
        document: serde_json::to_string(window).unwrap_or_default(),
    };
    DriftRow {
        subject: subject(&due.key),
        version: due.key.version,
        content: due.key.content.clone(),
        state: due.state.clone(),
        reference: due.reference.as_ref().and_then(|reference| serde_json::to_string(reference).ok()),
        drift: due.drift.name().to_owned(),
        at_ms: now_ms,
        windows: due.windows.iter().map(window).collect(),
        events,
    }
}

fn state_of(name: &str) -> DriftState {
    [DriftState::None, DriftState::Warning, DriftState::Alarm]
        .into_iter()
        .find(|state| state.name() == name)
        .unwrap_or_default()
}
