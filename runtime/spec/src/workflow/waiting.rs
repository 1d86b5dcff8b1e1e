//! `approval:`, `concurrency:`, `mutex:` and `priority:` as they are written, and their checks.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    checker::Checker,
    scope::{Names, Place},
    steps::{self, Site},
    words,
};
use crate::{
    plan::{Approval, Concurrency, OnConflict, OnTimeout, PRIORITIES},
    units::Duration,
};

const MAX_APPROVERS: usize = 64;
/// Longest name of somebody who may decide.
const LONGEST_NAME: usize = 128;
const MAX_LIMIT: u64 = 10_000;

/// A decision that a person has to take.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an approval: a mapping with `message`")]
#[schemars(rename = "Approval")]
pub(crate) struct ApprovalFile {
    /// What is to be decided. It may hold `${expression}`.
    pub(crate) message: String,
    /// How long the decision may take. Without it the run waits until somebody decides.
    pub(crate) deadline: Option<Duration>,
    /// Who may decide. Without names it is everybody who may use the node.
    #[serde(default)]
    pub(crate) approvers: Vec<String>,
    /// What happens when nobody decides in time: as if it had been rejected (the step fails with `rejected`), as if it had
    /// been approved, or the step fails with `approval-timeout`.
    #[serde(default)]
    pub(crate) on_timeout: OnTimeout,
}

/// How many runs may be under way at one time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping with `group`")]
#[schemars(rename = "Concurrency")]
pub(crate) struct ConcurrencyFile {
    /// The group's name: a text that may hold `${expression}` over `params` and `trigger`. All workflows of the node that
    /// name the same group share it.
    pub(crate) group: String,
    /// Runs of the group under way at one time.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 10000))]
    pub(crate) limit: u64,
    /// What happens to a run for which there is no room: it waits (`queue`), it is not started (`skip`), or the oldest runs
    /// under way and all that wait are cancelled (`cancel-running`) and it starts when they have ended.
    #[serde(default)]
    pub(crate) on_conflict: OnConflict,
}

fn default_limit() -> u64 {
    1
}

pub(super) fn approval(file: ApprovalFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Approval> {
    let path = |key: &'static str| [site.path[0], site.path[1], "approval", key];
    if file.message.trim().is_empty() {
        checker.at("TS-0103", &path("message"), "an approval without a message: what is to be decided?", None);
    }
    if file.deadline.is_some_and(|deadline| deadline.as_millis() == 0) {
        checker.at("TS-0103", &path("deadline"), "a deadline of nothing would pass at once", None);
    }
    if file.deadline.is_none() && checker.root.at(path("on_timeout")).is_some() {
        let help = Some("add `deadline`, how long the decision may take".to_owned());
        checker.at_key("TS-0102", &path("on_timeout"), "without a deadline there is no timeout", help);
    }
    if file.approvers.len() > MAX_APPROVERS {
        let message = format!("{} approvers; the limit is {MAX_APPROVERS}", file.approvers.len());
        checker.at_key("TS-0108", &path("approvers"), message, None);
    }
    for (index, name) in file.approvers.iter().enumerate() {
        let path = [site.path[0], site.path[1], "approval", "approvers", &index.to_string()];
        let plain = (1..=LONGEST_NAME).contains(&name.len()) && name.trim() == name && !name.contains("${");
        if !plain || name.chars().any(char::is_control) {
            let message = format!("a name has 1 to {LONGEST_NAME} bytes, no space at its ends and no expression");
            checker.at("TS-0103", &path, message, None);
        } else if file.approvers[..index].contains(name) {
            checker.at("TS-0107", &path, format!("`{name}` is there twice"), None);
        }
    }
    let message = steps::compile_at(&path("message"), &Value::from(file.message), site.place, site.names, checker)?;
    Some(Approval { message, deadline: file.deadline, approvers: file.approvers, on_timeout: file.on_timeout })
}

pub(super) fn concurrency(
    file: ConcurrencyFile,
    names: &Names<'_>,
    checker: &mut Checker<'_, '_>,
) -> Option<Concurrency> {
    if file.group.trim().is_empty() {
        checker.at("TS-0103", &["concurrency", "group"], "a group needs a name", None);
    }
    if !(1..=MAX_LIMIT).contains(&file.limit) {
        let message = format!("the limit is between 1 and {MAX_LIMIT}");
        checker.at("TS-0103", &["concurrency", "limit"], message, None);
    }
    let group = steps::compile_at(&["concurrency", "group"], &Value::from(file.group), Place::GROUP, names, checker)?;
    Some(Concurrency { group, limit: u32::try_from(file.limit).unwrap_or(1), on_conflict: file.on_conflict })
}

/// A priority in its range.
pub(super) fn priority(priority: i64, path: &[&str], checker: &mut Checker<'_, '_>) -> i32 {
    match i32::try_from(priority).ok().filter(|priority| PRIORITIES.contains(priority)) {
        Some(priority) => priority,
        None => {
            checker.at("TS-0103", path, "a priority is a whole number between -100 and 100", None);
            0
        }
    }
}

/// `mutex` and `queue_timeout` of a step.
pub(super) fn mutex(
    mutex: Option<&str>,
    queue_timeout: Option<Duration>,
    site: Site<'_>,
    checker: &mut Checker<'_, '_>,
) {
    if mutex.is_some_and(|name| !words::is_slug(name)) {
        let message = "the name of a mutex is made of lower-case letters, digits and `-`, at most 64";
        checker.at("TS-0103", &site.key("mutex"), message, None);
    }
    if queue_timeout.is_some() && mutex.is_none() {
        let help = Some("for the step as a whole there is `timeout`".to_owned());
        checker.at_key("TS-0102", &site.key("queue_timeout"), "a step without `mutex` waits in no queue", help);
    }
    if queue_timeout.is_some_and(|timeout| timeout.as_millis() == 0) {
        checker.at("TS-0103", &site.key("queue_timeout"), "a timeout of nothing would fail at once", None);
    }
}
