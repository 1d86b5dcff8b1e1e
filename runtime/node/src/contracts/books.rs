//! What a check found out, for the journal, the log and people.

use serde::Serialize;
use serde_json::{Value, json};
use trackside_spec::{ArtifactRef, plan::Severity};

/// Problems of rows that a report names; all are counted.
const NAMED: usize = 20;
/// Longest text of a value or a name in a report, in characters.
const CLIPPED: usize = 80;

/// Something wrong in a row.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Problem {
    /// Its line in the file, its number in a list, from 1.
    pub line: u64,
    /// The column; none when the row's form is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// What is wrong with one input.
#[derive(Debug)]
pub struct Books {
    /// The contract.
    pub name: String,
    /// What happens now.
    pub severity: Severity,
    /// Rows that were looked at; none where the input is no table.
    pub rows: Option<u64>,
    /// Rows that do not fit.
    pub bad_rows: u64,
    /// The first of what is wrong with rows.
    pub problems: Vec<Problem>,
    /// What is wrong with the input as a whole.
    pub whole: Vec<String>,
    /// The rows that do not fit.
    pub quarantine: Option<ArtifactRef>,
}

impl Books {
    /// Empty ones.
    pub const fn new(name: String, severity: Severity) -> Self {
        Self { name, severity, rows: None, bad_rows: 0, problems: Vec::new(), whole: Vec::new(), quarantine: None }
    }

    /// Whether there is nothing in them.
    pub const fn is_clean(&self) -> bool {
        self.bad_rows == 0 && self.whole.is_empty()
    }

    /// Whether the step may not run.
    pub const fn blocks(&self) -> bool {
        match self.severity {
            Severity::Error => !self.is_clean(),
            Severity::Warn => false,
            // What no splitting mends.
            Severity::Quarantine => !self.whole.is_empty() || (self.bad_rows > 0 && self.quarantine.is_none()),
        }
    }

    /// One more thing wrong in a row.
    pub fn problem(&mut self, line: u64, column: Option<&str>, value: Option<String>, reason: String) {
        if self.problems.len() < NAMED {
            let (column, value) = (column.map(clip), value.map(|value| clip(&value)));
            self.problems.push(Problem { line, column, value, reason: clip(&reason) });
        }
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let mut parts = self.whole.clone();
        if self.bad_rows > 0 {
            let rows = self.rows.unwrap_or(self.bad_rows);
            let first = self.problems.first().map(|problem| {
                let column = problem.column.as_ref().map(|name| format!(", column `{name}`")).unwrap_or_default();
                let value = problem.value.as_ref().map(|value| format!(" ({value})")).unwrap_or_default();
                format!("; line {}{column}: {}{value}", problem.line, problem.reason)
            });
            parts.push(format!("{} of {rows} rows do not{}", self.bad_rows, first.unwrap_or_default()));
        }
        format!("the input `{}` does not fit its contract: {}", self.name, parts.join("; "))
    }

    /// For the journal.
    pub fn document(&self) -> Value {
        let mut document = json!({ "name": self.name, "severity": self.severity });
        if let Some(rows) = self.rows {
            document["rows"] = rows.into();
            document["bad_rows"] = self.bad_rows.into();
        }
        if !self.problems.is_empty() {
            document["problems"] = json!(self.problems);
        }
        if !self.whole.is_empty() {
            document["whole"] = json!(self.whole);
        }
        if let Some(quarantine) = &self.quarantine {
            document["quarantine"] = quarantine.to_json();
        }
        document
    }

    /// For the step's log: one line, with its line end.
    pub fn log_line(&self) -> String {
        let mut attributes = json!({ "contract": self.name, "severity": self.severity });
        if let Some(quarantine) = &self.quarantine {
            attributes["quarantine"] = quarantine.digest.to_string().into();
        }
        let level = if self.blocks() { "error" } else { "warn" };
        let line = json!({ "at_ms": 0, "level": level, "message": self.summary(), "attributes": attributes });
        format!("{line}\n")
    }
}

/// Bounded, so that what came from outside does not fill the journal.
pub fn clip(text: &str) -> String {
    match text.char_indices().nth(CLIPPED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
