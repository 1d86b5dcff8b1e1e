//! What is in use now, and how that came to be.

use std::{path::PathBuf, sync::Arc};

use trackside_spec::{Digest, load_workflow};
use trackside_store::{Activation, Reader, StoreError};

use super::InUse;
use crate::project::Project;

/// What is in use now.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The workflows, and what is wrong with files.
    pub project: Arc<Project>,
    /// What is to be said about `trackside.toml`, when it is not what it was at the start.
    pub config_note: Option<String>,
}

/// A workflow of which another version is in use now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The workflow.
    pub workflow: String,
    /// Its file, relative to the project.
    pub file: PathBuf,
    /// What was in use; none for a new workflow.
    pub was: Option<Digest>,
    /// What is; none for one that was taken out.
    pub is: Option<Digest>,
}

/// What a reload did.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// Workflows of which another version is in use now.
    pub changes: Vec<Change>,
    /// What is in use.
    pub now: Arc<InForce>,
}

/// What is different in `new`, and the rows that say so. A file that only got another name has a row and is no change.
pub(crate) fn changes(last: &InUse, new: &Project, at_ms: i64, by: &str) -> (Vec<Change>, Vec<Activation>) {
    let (mut changes, mut rows) = (Vec::new(), Vec::new());
    for (file, plan) in new.in_use() {
        let before = last.iter().find(|(_, old)| old.name == plan.name);
        let was = before.map(|(_, old)| old.digest);
        if before.is_some_and(|(old, _)| *old == file) && was == Some(plan.digest) {
            continue;
        }
        if was != Some(plan.digest) {
            let is = Some(plan.digest);
            changes.push(Change { workflow: plan.name.clone(), file: file.clone(), was, is });
        }
        let (workflow, file) = (plan.name.clone(), file.display().to_string());
        rows.push(Activation { workflow, file, plan: Some(plan), at_ms, by: by.to_owned() });
    }
    for (file, plan) in last.iter().filter(|(_, plan)| !new.workflows.contains_key(&plan.name)) {
        let workflow = plan.name.clone();
        changes.push(Change { workflow: workflow.clone(), file: file.clone(), was: Some(plan.digest), is: None });
        let file = file.display().to_string();
        rows.push(Activation { workflow, file, plan: None, at_ms, by: by.to_owned() });
    }
    (changes, rows)
}

/// What was in use when the node went down. A definition that this version of the program cannot read is left out.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn last_good(history: &Reader) -> Result<InUse, StoreError> {
    let mut plans = Vec::new();
    for row in history.in_use()? {
        match load_workflow(&row.file, row.source.as_deref().unwrap_or_default()) {
            Ok(plan) => plans.push((PathBuf::from(row.file), Arc::new(plan))),
            Err(error) => tracing::warn!(workflow = row.workflow, %error, "what was in use before cannot be read"),
        }
    }
    Ok(plans)
}
