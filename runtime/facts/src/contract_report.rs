//! What the check of a step's inputs found.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trackside_spec::{ArtifactRef, plan::Severity};

/// An input that does not fit its contract. It stands in the report of the attempt that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractReport {
    /// The contract.
    pub name: String,
    /// What happened because of it.
    pub severity: Severity,
    /// Rows that were looked at; none where the input is no table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Rows that do not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad_rows: Option<u64>,
    /// The first of what is wrong with rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<RowProblem>,
    /// What is wrong with the input as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whole: Vec<String>,
    /// The rows that do not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<ArtifactRef>,
    /// What another version told.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Something wrong in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowProblem {
    /// Its line in the file, its number in a list, from 1.
    pub line: u64,
    /// The column; none when the row's form is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is wrong.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_on_disk_is_read_and_written_as_it_stands() {
        for text in [
            r#"{"name":"rows","severity":"error","whole":["no rows"]}"#,
            r#"{"name":"rows","severity":"warn","rows":3,"bad_rows":0,"whole":["too few"]}"#,
            r#"{"name":"rows","severity":"quarantine","rows":3,"bad_rows":2,"problems":[{"line":2,"column":"v","value":"x","reason":"no number"},{"line":3,"reason":"4 fields"}],"quarantine":{"artifact":"sha256:0707070707070707070707070707070707070707070707070707070707070707","name":"quarantine-a.csv","media_type":"text/csv","size":2}}"#,
            r#"{"name":"rows","severity":"warn","later":{"b":1,"a":2}}"#,
        ] {
            let report: ContractReport = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&report).unwrap(), text);
        }
    }
}
