//! Decisions, those that started a run and those that did not, in one list.

use serde::Serialize;
use trackside_engine::RunId;
use trackside_facts::DecisionSubject;
use trackside_node::rfc3339;
use trackside_store::{DecisionRow, LedgerEntryRow, Reader, StoreError};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// When it was taken, RFC 3339.
    pub at: String,
    /// The same, milliseconds since 1970.
    pub at_ms: i64,
    /// The file's path below the watched folder, or the time.
    pub about: String,
    /// `started`, or why not: `deduped`, `misfired`, `paused` and so on.
    pub decision: String,
    /// For people.
    pub detail: String,
    /// The run that it started.
    pub run: Option<RunId>,
    /// Whether that run is not kept any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub run_gone: bool,
}

/// What a trigger decided last.
pub(super) fn of_trigger(reader: &Reader, trigger: &str, limit: u32) -> Result<Vec<Record>, StoreError> {
    let accepted = reader.accepted(trigger, None, limit)?;
    let refused = reader.decisions(trigger, None, limit)?;
    Ok(merged(accepted, refused, limit))
}

/// What a trigger decided about one file.
pub(super) fn about_path(reader: &Reader, trigger: &str, path: &str, limit: u32) -> Result<Vec<Record>, StoreError> {
    let accepted = reader.accepted(trigger, Some(path), limit)?;
    let refused = reader.decisions(trigger, Some(path), limit)?;
    Ok(merged(accepted, refused, limit))
}

/// What started a run, and what was decided about the same files and times before and after.
pub(super) fn of_run(reader: &Reader, trigger: &str, run: RunId, limit: u32) -> Result<Vec<Record>, StoreError> {
    let accepted = reader.accepted_by(trigger, run)?;
    let mut refused = Vec::new();
    // A batch has many files; their other decisions are told of the first few.
    for entry in accepted.iter().take(10) {
        let subject = if entry.identity.starts_with("at:") { &entry.identity } else { &entry.path };
        refused.extend(reader.decisions(trigger, Some(subject), limit)?);
    }
    Ok(merged(accepted, refused, limit))
}

fn merged(accepted: Vec<LedgerEntryRow>, refused: Vec<DecisionRow>, limit: u32) -> Vec<Record> {
    let mut records: Vec<Record> = refused.into_iter().map(of_decision).collect();
    records.extend(accepted.into_iter().map(of_entry));
    // Stable: of those taken at one moment the store's order stays.
    records.sort_by_key(|record| std::cmp::Reverse(record.at_ms));
    records.truncate(limit as usize);
    records
}

fn of_entry(entry: LedgerEntryRow) -> Record {
    let (decision, detail) = match (entry.run, entry.claimed) {
        (Some(_), true) => ("started", "the file was taken out of the folder"),
        (Some(_), false) => ("started", ""),
        (None, _) => ("existing", "it was there before the trigger"),
    };
    Record {
        at: rfc3339(entry.at_ms),
        at_ms: entry.at_ms,
        about: entry.path,
        decision: decision.to_owned(),
        detail: detail.to_owned(),
        run: entry.run,
        run_gone: entry.run.is_some() && !entry.is_kept,
    }
}

fn of_decision(row: DecisionRow) -> Record {
    Record {
        at: rfc3339(row.at_ms),
        at_ms: row.at_ms,
        about: match row.subject {
            DecisionSubject::Time(ms) => rfc3339(ms),
            DecisionSubject::Named(name) => name,
        },
        decision: row.decision.name().to_owned(),
        detail: row.detail,
        run: None,
        run_gone: false,
    }
}

#[cfg(test)]
mod tests {
    use trackside_facts::DecisionKind;

    use super::*;

    fn decision(at_ms: i64, subject: &str) -> DecisionRow {
        let (trigger, decision, detail) = ("w/cron-0".to_owned(), DecisionKind::Misfired.into(), String::new());
        DecisionRow { trigger, subject: subject.to_owned().into(), at_ms, decision, detail }
    }

    fn entry(at_ms: i64, run: Option<i64>) -> LedgerEntryRow {
        LedgerEntryRow {
            trigger: "w/file-0".to_owned(),
            identity: "sha256:0".to_owned(),
            run: run.map(RunId::from_i64),
            path: "a.csv".to_owned(),
            claimed: false,
            at_ms,
            is_kept: at_ms > 2,
        }
    }

    #[test]
    fn a_run_that_is_not_kept_any_more_is_told_as_gone() {
        let records = merged(vec![entry(5, Some(1)), entry(2, Some(2)), entry(1, None)], Vec::new(), 10);
        assert_eq!(records.iter().map(|record| record.run_gone).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(serde_json::to_value(&records[1]).unwrap()["run_gone"], true);
        assert_eq!(serde_json::to_value(&records[0]).unwrap().get("run_gone"), None);
    }

    #[test]
    fn what_started_a_run_and_what_did_not_stand_in_one_list_newest_first() {
        let records = merged(vec![entry(5, Some(1)), entry(1, None)], vec![decision(3, "at:0")], 10);
        let told: Vec<(i64, &str, &str)> =
            records.iter().map(|r| (r.at_ms, r.decision.as_str(), r.about.as_str())).collect();
        assert_eq!(told, [(5, "started", "a.csv"), (3, "misfired", "1970-01-01T00:00:00Z"), (1, "existing", "a.csv")]);
        assert_eq!(merged(vec![entry(5, Some(1))], vec![decision(9, "b")], 1)[0].about, "b");
    }
}
