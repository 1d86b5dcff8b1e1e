//! The columns of a table that a contract checks, watched for drift. A table counts once: its rows are those of the first pass.

use std::sync::Arc;

use trackside_rows::field::{self, Typed};
use trackside_serving::drift::{Board, Held, Key, KeyKind, Kind, MOST_COLUMNS, Ward, WatchedColumn};
use trackside_spec::{
    Digest,
    plan::{Column, ColumnKind, Contract, Shape},
};

use super::{
    column::kind_of,
    row::{Cell, Table},
};
use crate::models::drift_settings;

/// Rows that are counted at one time: whoever counts others meanwhile waits no longer than for those.
const AT_ONCE: usize = 64;

/// What watches the table of one contract.
pub struct Watch<'c> {
    board: &'c Board,
    ward: Arc<Ward>,
    columns: Vec<(&'c str, &'c Column)>,
    nulls: Option<&'c [String]>,
    held: Vec<Held>,
}

impl<'c> Watch<'c> {
    /// Of a contract that says so; nothing of another.
    pub fn of(contract: &'c Contract, board: Option<&'c Board>) -> Option<Self> {
        let (board, drift, Shape::Table(columns)) = (board?, contract.drift.as_ref()?, &contract.shape) else {
            return None;
        };
        let watched = columns.iter().take(MOST_COLUMNS).map(|(name, column)| WatchedColumn {
            name: name.clone(),
            kind: match column.kind {
                ColumnKind::Number => Kind::Number,
                ColumnKind::Integer => Kind::Whole,
                ColumnKind::String | ColumnKind::Boolean => Kind::Category,
            },
        });
        let watched: Vec<WatchedColumn> = watched.collect();
        // Other columns are another table: they need another reference.
        let said: Vec<String> = watched.iter().map(|column| format!("{:?} {}", column.kind, column.name)).collect();
        let content = Digest::of(said.join("\n").as_bytes()).to_string();
        let key = Key { kind: KeyKind::Dataset, name: drift.name.clone(), version: 0, content };
        let left_out = columns.len().saturating_sub(MOST_COLUMNS) as u64;
        let ward = board.watch(key, watched, left_out, drift_settings(&drift.config));
        let columns = columns.iter().take(MOST_COLUMNS).map(|(name, column)| (name.as_str(), column)).collect();
        Some(Self { board, ward, columns, nulls: contract.nulls.as_deref(), held: Vec::new() })
    }

    /// The row that was read last. One that is broken in its form has nothing to say of columns.
    pub fn row<R: std::io::BufRead>(&mut self, table: &Table<R>) {
        if table.broken().is_some() {
            return;
        }
        for (name, column) in &self.columns {
            let at = table.position(name);
            let cell = if at == Some(None) { Cell::Nothing } else { table.cell(name, at.flatten()) };
            self.held.push(held(column, cell, self.nulls));
        }
        if self.held.len() >= AT_ONCE * self.columns.len().max(1) {
            self.count();
        }
    }

    /// The table has ended.
    pub fn end(mut self) {
        self.count();
        self.board.table_ended(&self.ward);
    }

    fn count(&mut self) {
        self.board.rows(&self.ward, std::mem::take(&mut self.held));
    }
}

/// What a value is, whether it fits the column's other rules or not.
fn held(column: &Column, cell: Cell<'_>, nulls: Option<&[String]>) -> Held {
    let kind = kind_of(column.kind);
    let typed = match cell {
        Cell::Nothing => return Held::Null,
        Cell::Text(text) if field::is_null(Some(kind), text, nulls) => return Held::Null,
        Cell::Text(text) => field::read_text(kind, text),
        Cell::Json(value) => field::read_json(kind, value),
    };
    match typed {
        Ok(Typed::Number(number)) => Held::Number(number.as_f64()),
        Ok(Typed::Truth(is)) => Held::text(if is { "true" } else { "false" }),
        Ok(Typed::Text(text) | Typed::Time(_, text)) => Held::text(text),
        // A number among texts, a text among numbers.
        Err(_) if matches!(column.kind, ColumnKind::String | ColumnKind::Boolean) => Held::Number(0.0),
        Err(_) => Held::text(""),
    }
}
