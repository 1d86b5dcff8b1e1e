//! Predictions that wait for their truth, and what follows from truth that was told.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use trackside_facts::SubjectEvent;
use trackside_serving::{Accuracy, Truth};
use trackside_store::{AccuracyRow, AccuracyState, DrawnVerdicts, VerdictRow, Write};

use super::{Part, Tools};
use crate::{
    feedback::{ErrorMoved, Lessons},
    node::NodeError,
};

/// What follows is drawn this long after the last time: each is a commit.
const DRAWS: Duration = Duration::from_secs(1);
/// How often it looks for verdicts when truth was told: that of a step is on disk a moment after it was told.
const LOOKS: u8 = 3;
/// Verdicts that are drawn from at once.
const MANY: u32 = 4096;
/// How often what is too old is looked for.
const TRIMS: Duration = Duration::from_secs(3600);

/// Predictions that wait for their truth.
#[derive(Default)]
pub(super) struct Predictions {
    trimmed: Option<Instant>,
    /// Whether anything is kept that grows old.
    keeps: bool,
    drawn: Option<Instant>,
    /// How often it still looks for verdicts.
    looks: u8,
    lessons: HashMap<(String, u32), Lessons>,
}

impl Part for Predictions {
    fn round(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        if self.trimmed.is_none() {
            // Verdicts may be left of the node before.
            self.looks = 1;
        }
        let mut sleep = self.trim(tools)?;
        let mut within = |time: Duration| sleep = Some(sleep.map_or(time, |sleep| sleep.min(time)));
        if let Some(due) = tools.serving().predictions_due() {
            if due.is_zero() {
                tools.handle().keep_predictions()?;
                self.keeps = true;
            } else {
                within(due);
            }
        }
        if tools.serving().take_labelled() {
            self.looks = LOOKS;
        }
        if self.looks > 0 {
            let waited = self.drawn.map(|drawn| drawn.elapsed());
            match waited.map(|waited| DRAWS.saturating_sub(waited)) {
                Some(left) if !left.is_zero() => within(left),
                _ => {
                    self.drawn = Some(Instant::now());
                    self.looks = if self.draw(tools)? { LOOKS } else { self.looks - 1 };
                    if self.looks > 0 {
                        within(DRAWS);
                    }
                }
            }
        }
        Ok(sleep)
    }

    fn end(&mut self, tools: &Tools) -> Result<(), NodeError> {
        tools.handle().keep_predictions()
    }
}

impl Predictions {
    /// Lets go what is too old. Says when to look again; nothing where nothing is kept.
    fn trim(&mut self, tools: &Tools) -> Result<Option<Duration>, NodeError> {
        let since = self.trimmed.map(|trimmed| trimmed.elapsed());
        if let Some(left) = since.map(|since| TRIMS.saturating_sub(since)).filter(|left| !left.is_zero()) {
            return Ok(self.keeps.then_some(left));
        }
        let rows = tools.handle().readers().with(|reader| reader.accuracy(None))?;
        let early = tools.handle().readers().with(trackside_store::Reader::early_labels)?;
        know(tools, &rows);
        self.trimmed = Some(Instant::now());
        self.keeps = !rows.is_empty() || early > 0;
        if !self.keeps {
            return Ok(None);
        }
        let mut models: Vec<String> = rows.into_iter().map(|row| row.model).collect();
        models.dedup();
        tools.keep(vec![tools.handle().trim_predictions(&models)])?;
        Ok(Some(TRIMS))
    }

    /// Draws what follows from the first verdicts; says whether there were any.
    fn draw(&mut self, tools: &Tools) -> Result<bool, NodeError> {
        let readers = tools.handle().readers();
        let verdicts = readers.with(|reader| reader.verdicts(MANY))?;
        let Some(last) = verdicts.last() else { return Ok(false) };
        let rows = readers.with(|reader| reader.accuracy(None))?;
        let (mut states, mut told): (Vec<AccuracyState>, Vec<(&VerdictRow, ErrorMoved)>) = Default::default();
        // As it will be once it is kept: a trouble leaves what is known as it was.
        let mut drawn: HashMap<(String, u32), Lessons> = HashMap::new();
        for verdict in &verdicts {
            let key = (verdict.model.clone(), verdict.version);
            let lessons = drawn
                .entry(key.clone())
                .or_insert_with(|| self.lessons.get(&key).cloned().unwrap_or_else(|| kept(&rows, &key.0, key.1)));
            let moved = lessons.learn(verdict);
            told.extend(moved.map(|moved| (verdict, moved)));
            let event = moved.map(|moved| event(verdict.version, moved));
            states.extend(event.map(|event| AccuracyState {
                model: key.0,
                version: key.1,
                state: Vec::new(),
                event: Some(event),
            }));
        }
        for ((model, version), lessons) in &drawn {
            let state = lessons.to_bytes();
            states.iter_mut().filter(|one| one.model == *model && one.version == *version).for_each(|one| {
                one.state.clone_from(&state);
            });
            states.push(AccuracyState { model: model.clone(), version: *version, state, event: None });
        }
        let at_ms = tools.now_ms();
        tools.keep(vec![Write::VerdictsDrawn(DrawnVerdicts { up_to: last.id, states, at_ms })])?;
        self.lessons.extend(drawn);
        told.into_iter().for_each(|(verdict, moved)| tell(verdict, moved));
        know(tools, &rows);
        verdicts.iter().filter(|verdict| !verdict.shadow).for_each(|verdict| tools.serving().truth(&truth(verdict)));
        Ok(true)
    }
}

/// Lets service know how accurate versions are.
fn know(tools: &Tools, rows: &[AccuracyRow]) {
    for row in rows.iter().filter(|row| row.labelled > 0) {
        match Accuracy::of(row.version, row.correct, row.labelled) {
            Ok(accuracy) => tools.serving().set_accuracy(&row.model, accuracy),
            Err(error) => tracing::warn!(model = row.model, version = row.version, "its accuracy is damaged: {error}"),
        }
    }
}

/// What was learned before; anew where that is damaged, which is told.
fn kept(rows: &[AccuracyRow], model: &str, version: u32) -> Lessons {
    let row = rows.iter().find(|row| row.model == model && row.version == version);
    let kept = row.and_then(|row| row.state.as_deref()).map(Lessons::from_bytes);
    match kept {
        Some(Ok(lessons)) => lessons,
        Some(Err(error)) => {
            tracing::warn!(model, version, "what labels taught begins anew: {error}");
            Lessons::none()
        }
        None => Lessons::none(),
    }
}

fn event(version: u32, moved: ErrorMoved) -> SubjectEvent {
    let ErrorMoved { before: (before, before_wrong), since: (since, since_wrong) } = moved;
    SubjectEvent::ModelErrorMoved { version, before, before_wrong, since, since_wrong }
}

/// Says in the log what is on disk.
fn tell(VerdictRow { model, version, .. }: &VerdictRow, moved: ErrorMoved) {
    let ErrorMoved { before: (before, before_wrong), since: (since, since_wrong) } = moved;
    tracing::warn!(
        model,
        version,
        "[TS-1056] it errs otherwise than before: {since_wrong} of its last {since} labels are of errors, {before_wrong} of the \
         {before} before"
    );
}

fn truth(verdict: &VerdictRow) -> Truth<'_> {
    Truth {
        model: &verdict.model,
        version: verdict.version,
        right: verdict.correct,
        was: verdict.was,
        shadow: verdict.beside,
    }
}
