//! Goes through the rows and keeps the books.

use serde::Serialize;
use serde_json::{Map, Value};
use trackside_rows::json::clip;
use trackside_sdk::{ArtifactWriter, StepError};

use crate::{
    Output,
    contract::{Contract, ExtraColumns},
    value::{Reason, Watch},
};

/// How many problems are kept for the report.
const MAX_PROBLEMS: usize = 20;

/// The most columns a file may have.
const MAX_COLUMNS: usize = 16_384;

/// Something wrong in a row.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    reason: Reason,
}

/// What was found out about a column.
#[derive(Debug, Serialize)]
pub struct ColumnReport {
    name: String,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    nulls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Value>,
}

/// The books of one file.
pub struct Check {
    columns: Vec<Watch>,
    extra: ExtraColumns,
    rows: u64,
    bad_rows: u64,
    problems: Vec<Problem>,
    target: ArtifactWriter,
}

impl Check {
    /// Starts with the contract's columns.
    pub fn new(contract: &mut Contract, target: ArtifactWriter) -> Self {
        let columns = std::mem::take(&mut contract.columns).into_iter().map(Watch::new).collect();
        Self { columns, extra: contract.extra_columns, rows: 0, bad_rows: 0, problems: Vec::new(), target }
    }

    /// How many columns are known.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// The name of a column.
    pub fn name(&self, column: usize) -> &str {
        &self.columns[column].rule.name
    }

    /// The position of a column; `None` when it is to be left out.
    ///
    /// # Errors
    /// `bad-data` when the contract refuses it or there are too many.
    pub fn column(&mut self, name: &str, line: u64) -> Result<Option<usize>, StepError> {
        if let Some(known) = self.columns.iter().position(|column| column.rule.name == name) {
            return Ok(Some(known));
        }
        match self.extra {
            ExtraColumns::Drop => Ok(None),
            ExtraColumns::Refuse => Err(StepError::fatal(
                "bad-data",
                format!("line {line}: column `{}` is not in the contract", clip(name, 80)),
            )),
            ExtraColumns::Allow if self.columns.len() >= MAX_COLUMNS => {
                Err(StepError::fatal("bad-data", format!("line {line}: more than {MAX_COLUMNS} columns")))
            }
            ExtraColumns::Allow => {
                let mut watch = Watch::default();
                watch.rule.name = name.to_owned();
                // Rows that came before had no value here.
                watch.nulls = self.rows;
                self.columns.push(watch);
                Ok(Some(self.columns.len() - 1))
            }
        }
    }

    /// Names of columns that the contract requires and `present` does not hold.
    pub fn missing_columns(&self, present: &[Option<usize>]) -> Vec<String> {
        let absent = |(at, watch): &(usize, &Watch)| {
            (watch.rule.required || watch.rule.may_miss() <= 0.0) && !present.contains(&Some(*at))
        };
        self.columns.iter().enumerate().filter(absent).map(|(_, watch)| watch.rule.name.clone()).collect()
    }

    /// Required columns that no row has, in a file without a header; where a row may not miss them the rows are at fault.
    pub fn never_seen(&self) -> Vec<String> {
        let absent = |watch: &&Watch| {
            watch.rule.required && watch.rule.may_miss() > 0.0 && self.rows > 0 && watch.nulls == self.rows
        };
        self.columns.iter().filter(absent).map(|watch| watch.rule.name.clone()).collect()
    }

    /// A row whose form is broken; the column where it is one field's fault.
    pub fn broken_row(&mut self, line: u64, column: Option<String>, reason: impl Into<Reason>) {
        self.bad_rows += 1;
        self.problem(Problem { line, column, value: None, reason: reason.into() });
    }

    /// A row of text fields, each with its column.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn text_row<'a>(
        &mut self,
        line: u64,
        fields: impl Iterator<Item = (Option<usize>, &'a str)>,
        nulls: Option<&[String]>,
    ) -> Result<(), StepError> {
        let mut row = vec![Value::Null; self.columns.len()];
        let mut good = true;
        for (column, text) in fields {
            let Some(column) = column else { continue };
            match self.columns[column].read_text(text, nulls) {
                Ok(value) => row[column] = value,
                Err(reason) => {
                    good = false;
                    self.value_problem(line, column, Some(text.to_owned()), reason);
                }
            }
        }
        self.finish_row(line, row, good)
    }

    /// A row that is a JSON object.
    ///
    /// # Errors
    /// When the output cannot be written, or a column is refused.
    pub fn json_row(&mut self, line: u64, object: Map<String, Value>) -> Result<(), StepError> {
        let mut found = Vec::with_capacity(object.len());
        for (name, value) in object {
            if let Some(column) = self.column(&name, line)? {
                found.push((column, value));
            }
        }
        let mut row = vec![Value::Null; self.columns.len()];
        let mut good = true;
        for (column, value) in found {
            let shown = value.to_string();
            match self.columns[column].read_json(value) {
                Ok(value) => row[column] = value,
                Err(reason) => {
                    good = false;
                    self.value_problem(line, column, Some(shown), reason);
                }
            }
        }
        self.finish_row(line, row, good)
    }

    fn finish_row(&mut self, line: u64, row: Vec<Value>, mut good: bool) -> Result<(), StepError> {
        for (at, value) in row.iter().enumerate() {
            // A value that could not be read stands as null and has its problem already.
            if !good && value.is_null() {
                continue;
            }
            if let Err(reason) = self.columns[at].check(value) {
                good = false;
                let shown = (!value.is_null()).then(|| match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                });
                self.value_problem(line, at, shown, reason);
            }
        }
        if !good {
            self.bad_rows += 1;
            return Ok(());
        }
        self.rows += 1;
        for (watch, value) in self.columns.iter_mut().zip(&row) {
            watch.keep(value)?;
        }
        self.target.json_line(&Row { columns: &self.columns, values: &row })
    }

    fn value_problem(&mut self, line: u64, column: usize, value: Option<String>, reason: Reason) {
        let value = value.map(|value| clip(&value, 80));
        self.problem(Problem { line, column: Some(self.columns[column].rule.name.clone()), value, reason });
    }

    fn problem(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    /// Closes the books.
    ///
    /// # Errors
    /// `bad-data` when there are bad rows and they are not to be dropped, or when the file as a whole breaks the
    /// contract.
    pub fn finish(self, contract: &Contract, drop_bad: bool) -> Result<Output, StepError> {
        let total = self.rows + self.bad_rows;
        if self.bad_rows > 0 && !drop_bad {
            let first: Vec<String> = self.problems.iter().take(3).map(Problem::line).collect();
            let more = if self.bad_rows > 3 { "; …" } else { "" };
            let message = format!("{} of {total} rows are bad: {}{more}", self.bad_rows, first.join("; "));
            return Err(StepError::fatal("bad-data", message));
        }
        self.check_totals(contract)?;
        let columns = self.columns.iter().map(report).collect();
        self.target.commit()?;
        Ok(Output { row_count: self.rows, bad_rows: self.bad_rows, columns, problems: self.problems })
    }

    fn check_totals(&self, contract: &Contract) -> Result<(), StepError> {
        let bad = |what: String| Err(StepError::fatal("bad-data", what));
        if let Some(min) = contract.rows.min.filter(|&min| self.rows < min) {
            return bad(format!("{} good rows; the contract asks for at least {min}", self.rows));
        }
        if let Some(max) = contract.rows.max.filter(|&max| self.rows > max) {
            return bad(format!("{} good rows; the contract allows at most {max}", self.rows));
        }
        for watch in &self.columns {
            let share = if self.rows == 0 { 0.0 } else { watch.nulls as f64 / self.rows as f64 };
            if let Some(max) = watch.rule.max_null_fraction.filter(|&max| share > max) {
                return bad(format!(
                    "column `{}`: {} of {} values are missing ({share:.3}); the contract allows {max}",
                    watch.rule.name, watch.nulls, self.rows
                ));
            }
        }
        Ok(())
    }
}

impl Problem {
    /// As a line for people.
    fn line(&self) -> String {
        let mut text = format!("line {}", self.line);
        if let Some(column) = &self.column {
            text.push_str(&format!(", column `{column}`"));
        }
        match &self.value {
            Some(value) => text.push_str(&format!(": {value:?} is {}", self.reason)),
            None => text.push_str(&format!(": {}", self.reason)),
        }
        text
    }
}

fn report(watch: &Watch) -> ColumnReport {
    ColumnReport {
        name: watch.rule.name.clone(),
        kind: watch.kind().map(crate::contract::Kind::name),
        nulls: watch.nulls,
        min: watch.range.map(|(min, _)| min.shown()),
        max: watch.range.map(|(_, max)| max.shown()),
    }
}

/// A row on its way out: an object in the order of the columns.
struct Row<'a> {
    columns: &'a [Watch],
    values: &'a [Value],
}

impl Serialize for Row<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().map(|column| &column.rule.name).zip(self.values))
    }
}
