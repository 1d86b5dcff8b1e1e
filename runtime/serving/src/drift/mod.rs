//! Has what a model is asked, or what it answers, moved away from its reference? The same of the columns of a table.
//!
//! On the way of a request a row is counted: that is all. When a window is full, whoever keeps what models teach has it compared, keeps
//! what it says, and only then is it so for others: this room knows no store, and has no clock of its own.

mod board;
mod column;
mod document;
mod features;
mod held;
mod judge;
mod packing;
mod series;
mod settings;
mod words;

pub use board::{Board, Due, Key, KeyKind, Saved, Ward};
pub use column::Kind;
pub use document::{
    Counted, DriftState, Found, ReferenceColumn, ReferenceDocument, Says, Turn, WindowColumn, WindowDocument,
};
pub use held::Held;
pub use series::Watched as WatchedColumn;
pub use settings::DriftSettings;
pub use trackside_stats::drift::AlarmRule;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use trackside_models::Model;

use crate::{
    error::ServeError,
    request::{Answer, Request},
    watch::Watched,
};

use features::Places;

/// The most columns of one model, or table, that are watched.
pub const MOST_COLUMNS: usize = 64;

/// Watches one version's inputs and outputs.
pub(crate) struct Watcher {
    name: String,
    number: u32,
    settings: DriftSettings,
    labels: BTreeMap<String, Vec<String>>,
    board: Arc<Board>,
    inputs: OnceLock<Places>,
    outputs: OnceLock<(Places, Arc<Ward>)>,
}

/// What was seen of a request: its rows, one behind the other.
pub(crate) struct Seen(Option<Vec<Held>>);

impl Watcher {
    pub(crate) fn of(watched: &Watched<'_>) -> Self {
        Self {
            name: watched.name.to_owned(),
            number: watched.number,
            settings: watched.settings.drift,
            labels: if watched.settings.drift.enabled { watched.labels.clone() } else { BTreeMap::new() },
            board: watched.learned.board.clone(),
            inputs: OnceLock::new(),
            outputs: OnceLock::new(),
        }
    }

    pub(crate) fn asked(&self, model: &Model, request: &Request) -> Seen {
        if !self.settings.enabled {
            return Seen(None);
        }
        let places = self.inputs.get_or_init(|| Places::of_inputs(model.info(), self.settings.elements));
        Seen(Some(places.of_tensors(&request.inputs)))
    }

    /// Only what the model has answered counts: what it refused was never its input.
    pub(crate) fn answered(&self, seen: Seen, answer: &Result<Answer, ServeError>) {
        let (Some(asked), Ok(answer), Some(inputs)) = (seen.0, answer, self.inputs.get()) else { return };
        if self.outputs.get().is_none() {
            let room = MOST_COLUMNS.saturating_sub(inputs.columns());
            let elements = self.settings.elements;
            let Some(outputs) = Places::of_outputs(answer.info(), &self.labels, &answer.outputs, elements, room) else {
                return;
            };
            self.outputs.get_or_init(|| {
                let ward = self.ward(inputs, &outputs, answer);
                (outputs, ward)
            });
        }
        let Some((outputs, ward)) = self.outputs.get() else { return };
        let told = outputs.of_answer(&answer.outputs);
        self.board.rows(ward, together(asked, inputs.columns(), told, outputs.columns()));
    }

    fn ward(&self, inputs: &Places, outputs: &Places, answer: &Answer) -> Arc<Ward> {
        let key = Key {
            kind: KeyKind::Model,
            name: self.name.clone(),
            version: self.number,
            content: answer.info().digest.to_string(),
        };
        let columns = inputs.watched.iter().chain(&outputs.watched).cloned().collect();
        self.board.watch(key, columns, inputs.left_out + outputs.left_out, self.settings)
    }
}

/// Rows of inputs with the rows of outputs that belong to them; where one has fewer, the other's rows stand alone.
fn together(asked: Vec<Held>, inputs: usize, told: Vec<Held>, outputs: usize) -> Vec<Held> {
    let count = |held: &[Held], columns: usize| held.len().checked_div(columns).unwrap_or(0);
    let rows = count(&asked, inputs).max(count(&told, outputs));
    let mut all = Vec::with_capacity(rows * (inputs + outputs));
    let (mut asked, mut told) = (asked.into_iter(), told.into_iter());
    for row in 1..=rows {
        all.extend(asked.by_ref().take(inputs));
        all.resize((row - 1) * (inputs + outputs) + inputs, Held::Absent);
        all.extend(told.by_ref().take(outputs));
        all.resize(row * (inputs + outputs), Held::Absent);
    }
    all
}
