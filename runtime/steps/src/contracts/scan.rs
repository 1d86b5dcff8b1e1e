//! Goes through the rows of a table and keeps the books.

use std::{io::BufRead, time::Instant};

use serde_json::Value;
use trackside_rows::ReadError;
use trackside_sandbox::CancelToken;
use trackside_spec::plan::{Column, Contract, Severity, Shape};

use super::{
    CheckError,
    books::Books,
    column::{Found, MAX_DISTINCT, Memory, Unfit, check},
    row::{Cell, Table},
};

/// Rows between two looks at the clock and at the switch.
const LOOK_EVERY: u64 = 256;

/// When a check ends before its end.
#[derive(Clone)]
pub struct Patience {
    /// The latest moment.
    pub until: Instant,
    /// Thrown when the step is stopped.
    pub cancel: CancelToken,
}

impl Patience {
    /// Whether to go on.
    pub fn check(&self) -> Result<(), CheckError> {
        if self.cancel.is_cancelled() {
            return Err(CheckError::Cancelled);
        }
        if Instant::now() >= self.until {
            return Err(CheckError::TooSlow);
        }
        Ok(())
    }
}

/// A column of the contract and where it is.
struct Watched<'c> {
    name: &'c str,
    rule: &'c Column,
    at: Option<usize>,
    /// Not in the header, and need not be.
    absent: bool,
    memory: Memory,
}

/// Reads the table through. `each` is told of every row whether it fits.
pub fn scan<R: BufRead>(
    contract: &Contract,
    table: &mut Table<R>,
    patience: &Patience,
    mut each: impl FnMut(&Table<R>, bool) -> Result<(), CheckError>,
) -> Result<Books, CheckError> {
    let mut books = Books::new(contract.name.clone(), contract.severity);
    let mut columns = watched(contract, table, &mut books);
    let splits = contract.severity == Severity::Quarantine;
    let (mut rows, mut good_rows, mut distinct) = (0_u64, 0_u64, 0_usize);
    loop {
        if rows.is_multiple_of(LOOK_EVERY) {
            patience.check()?;
        }
        match table.advance() {
            Ok(true) => rows += 1,
            Ok(false) => break,
            Err(ReadError::Io(error)) => return Err(error.into()),
            Err(error) => {
                books.whole.push(error.to_string());
                break;
            }
        }
        let good = row(contract, &mut columns, table, &mut books, &mut distinct)?;
        if good {
            good_rows += 1;
        } else {
            books.bad_rows += 1;
        }
        each(table, good)?;
    }
    books.rows = Some(rows);
    // What the step gets must fit: rows that go into quarantine do not count.
    let counted = if splits { good_rows } else { rows };
    whole(contract, &columns, counted, &mut books);
    Ok(books)
}

fn watched<'c, R: BufRead>(contract: &'c Contract, table: &Table<R>, books: &mut Books) -> Vec<Watched<'c>> {
    let Shape::Table(columns) = &contract.shape else { return Vec::new() };
    let mut found = Vec::with_capacity(columns.len());
    for (name, rule) in columns {
        let (at, absent) = match table.position(name) {
            // Every row has its own keys.
            None => (None, false),
            Some(Some(at)) => (Some(at), false),
            Some(None) => {
                if rule.required || rule.max_null_fraction <= 0.0 {
                    books.whole.push(format!("the column `{name}` is missing"));
                }
                (None, true)
            }
        };
        found.push(Watched { name, rule, at, absent, memory: Memory::default() });
    }
    found
}

/// Whether the row fits.
fn row<R: BufRead>(
    contract: &Contract,
    columns: &mut [Watched<'_>],
    table: &Table<R>,
    books: &mut Books,
    distinct: &mut usize,
) -> Result<bool, CheckError> {
    let line = table.line();
    if let Some((reason, column)) = table.broken() {
        books.problem(line, column, None, reason);
        return Ok(false);
    }
    let mut good = true;
    let mut found = Vec::with_capacity(columns.len());
    for column in columns.iter().filter(|column| !column.absent) {
        let cell = table.cell(column.name, column.at);
        let outcome = match check(column.rule, cell, contract.nulls.as_deref()) {
            // No value at all may be missing: the row is at fault, not the whole.
            Ok(Found::Nothing) if column.rule.max_null_fraction <= 0.0 => Err(Unfit::Missing),
            Ok(Found::Value(print)) if column.rule.unique && column.memory.knows(print) => Err(Unfit::Again),
            outcome => outcome,
        };
        match outcome {
            Ok(value) => found.push(Some(value)),
            Err(unfit) => {
                good = false;
                found.push(None);
                books.problem(line, Some(column.name), shown(cell), unfit.to_string());
            }
        }
    }
    // A row that goes into quarantine leaves no trace.
    if good || contract.severity != Severity::Quarantine {
        for (column, found) in columns.iter_mut().filter(|column| !column.absent).zip(found) {
            match found {
                Some(Found::Nothing) => column.memory.nulls += 1,
                Some(Found::Value(print)) => {
                    column.memory.seen = true;
                    // The twin of a row that is bad for another reason may stay, whatever the severity.
                    if good && column.rule.unique && column.memory.remember(print) {
                        *distinct += 1;
                    }
                }
                None => column.memory.seen = true,
            }
        }
        if *distinct > MAX_DISTINCT {
            return Err(CheckError::TooManyDistinct);
        }
    }
    Ok(good)
}

/// What is asked of all rows together.
fn whole(contract: &Contract, columns: &[Watched<'_>], rows: u64, books: &mut Books) {
    for column in columns.iter().filter(|_| rows > 0) {
        let (name, rule, limit) = (column.name, column.rule, column.rule.max_null_fraction);
        // In a table without a header a column is there when a row has it.
        let never = column.at.is_none() && !column.absent && !column.memory.seen;
        if never && rule.required && limit > 0.0 {
            books.whole.push(format!("the column `{name}` is missing"));
            continue;
        }
        // A column that is not there has no value in any row. Where it must be there, that was told.
        let nulls = match column.absent {
            true if rule.required => continue,
            true => rows,
            false => column.memory.nulls,
        };
        // Exact enough: a table of more than 2^53 rows is not read to its end.
        #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
        let fraction = nulls as f64 / rows as f64;
        if limit > 0.0 && fraction > limit {
            books.whole.push(format!("the column `{name}` has no value in {nulls} of {rows} rows, more than {limit}"));
        }
    }
    books.whole.extend(count(contract, rows));
}

/// What is wrong with the number of rows.
pub fn count(contract: &Contract, rows: u64) -> Option<String> {
    if let Some(minimum) = contract.rows.minimum.filter(|minimum| rows < *minimum) {
        return Some(format!("{rows} rows where there must be at least {minimum}"));
    }
    let maximum = contract.rows.maximum.filter(|maximum| rows > *maximum)?;
    Some(format!("{rows} rows where there may be at most {maximum}"))
}

fn shown(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Nothing => None,
        Cell::Text(text) => Some(text.chars().take(100).collect()),
        Cell::Json(Value::String(text)) => Some(text.chars().take(100).collect()),
        Cell::Json(Value::Array(_)) => Some("a list".to_owned()),
        Cell::Json(Value::Object(_)) => Some("an object".to_owned()),
        Cell::Json(value) => Some(value.to_string()),
    }
}
