//! What a check found out, for the journal, the log and people.

use serde_json::json;
use trackside_facts::{ContractReport, RowProblem};
use trackside_spec::{ArtifactRef, plan::Severity};

/// Problems of rows that a report names; all are counted.
const NAMED: usize = 20;
/// Longest text of a value or a name in a report, in characters.
const CLIPPED: usize = 80;

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
    pub problems: Vec<RowProblem>,
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
            self.problems.push(RowProblem { line, column, value, reason: clip(&reason) });
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
    pub fn report(&self) -> ContractReport {
        ContractReport {
            name: self.name.clone(),
            severity: self.severity,
            rows: self.rows,
            bad_rows: self.rows.map(|_| self.bad_rows),
            problems: self.problems.clone(),
            whole: self.whole.clone(),
            quarantine: self.quarantine.clone(),
            other: serde_json::Map::new(),
        }
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
