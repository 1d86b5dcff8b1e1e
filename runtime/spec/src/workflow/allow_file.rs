//! `allow:` as it is written, and its checks.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{checker::Checker, steps::Site, words};
use crate::{
    entries::{HttpEntry, SecretEntry, Short},
    grant::{Allow, HttpGrant, SecretGrant},
    ordered::Ordered,
    topic,
};

/// Most entries of one list.
const ENTRIES: usize = 64;
/// Longest value of an environment variable.
const ENV_VALUE: usize = 32 << 10;

/// What a plugin may do besides computing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of grants")]
#[schemars(rename = "Allow")]
pub(crate) struct AllowFile {
    /// Requests that may be sent: origins, or mappings that say more.
    pub(crate) http: Vec<Short<HttpEntry>>,
    /// Secrets of the node's config that may be used: names, or mappings that say more.
    pub(crate) secrets: Vec<Short<SecretEntry>>,
    /// Models that may be run, names as in `model`.
    pub(crate) models: Vec<String>,
    /// Whether the step may keep values from run to run.
    pub(crate) state: bool,
    /// Environment variables that the plugin sees, with their values.
    pub(crate) env: Ordered<String>,
    /// Folders below which files may be delivered.
    pub(crate) deliver: Vec<String>,
    /// Topics that messages may be published on; `+` stands for one level, `#` at the end for any number of them.
    pub(crate) publish: Vec<String>,
    /// Events that may be emitted, by name: they start workflows with an `event` trigger, and end waits for them.
    pub(crate) emit: Vec<String>,
    /// Whether the plugin sees the real clocks instead of the time that the run is about.
    pub(crate) clock: bool,
    /// Whether the plugin gets real randomness instead of what its run and its id give.
    pub(crate) random: bool,
}

/// Checks every grant; what is wrong is reported and left out.
pub(super) fn check(file: AllowFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Allow {
    let mut lists = Lists { site, checker };
    lists.bounded("http", file.http.len());
    let http = file.http.iter().enumerate().filter_map(|(index, entry)| lists.http(index, &entry.0)).collect();
    lists.bounded("secrets", file.secrets.len());
    for (index, Short(secret)) in file.secrets.iter().enumerate() {
        if !words::is_model_name(&secret.name) {
            lists.at(&["secrets", &index.to_string()], &["name"], SECRET_NAME.to_owned());
        }
    }
    lists.each("models", &file.models, &super::steps::model_problem);
    lists.each("deliver", &file.deliver, &folder_problem);
    let topic = |filter: &str| topic::filter_problem(filter).map(|reason| format!("this is no topic: {reason}"));
    lists.each("publish", &file.publish, &topic);
    let event = |name: &str| (!words::is_model_name(name)).then(|| super::wait::EVENT_NAME.to_owned());
    lists.each("emit", &file.emit, &event);
    lists.bounded("env", file.env.0.len());
    for (name, value) in &file.env.0 {
        if let Some(reason) = env_problem(name, value) {
            lists.at(&["env", name], &[], reason);
        }
    }
    let secrets = file.secrets.into_iter().map(|Short(entry)| SecretGrant { name: entry.name, reveal: entry.reveal });
    Allow {
        http,
        secrets: secrets.collect(),
        models: file.models,
        state: file.state,
        env: file.env.0.into_iter().collect(),
        deliver: file.deliver,
        publish: file.publish,
        emit: file.emit,
        clock: file.clock,
        random: file.random,
    }
}

/// What a secret's name looks like.
pub(crate) const SECRET_NAME: &str = "a secret's name is made of letters, digits, `.`, `_` and `-`, at most 64";

struct Lists<'a, 'c, 'r, 'f> {
    site: Site<'a>,
    checker: &'c mut Checker<'r, 'f>,
}

impl Lists<'_, '_, '_, '_> {
    /// A problem at `allow.PLACE.INNER`, or at `allow.PLACE` when it was written short.
    fn at(&mut self, place: &[&str], inner: &[&str], message: String) {
        let short: Vec<&str> = [self.site.path[0], self.site.path[1], "allow"].iter().chain(place).copied().collect();
        let full: Vec<&str> = short.iter().chain(inner).copied().collect();
        let path = if self.checker.root.at(full.iter().copied()).is_some() { full } else { short };
        self.checker.at("TS-0103", &path, message, None);
    }

    fn bounded(&mut self, key: &str, count: usize) {
        if count > ENTRIES {
            let path = [self.site.path[0], self.site.path[1], "allow", key];
            self.checker.at_key("TS-0108", &path, format!("{count} entries; the limit is {ENTRIES}"), None);
        }
    }

    fn each(&mut self, key: &str, items: &[String], problem: &dyn Fn(&str) -> Option<String>) {
        self.bounded(key, items.len());
        for (index, item) in items.iter().enumerate() {
            if let Some(reason) = problem(item) {
                self.at(&[key, &index.to_string()], &[], reason);
            }
        }
    }

    fn http(&mut self, index: usize, entry: &HttpEntry) -> Option<HttpGrant> {
        match entry.grant() {
            Ok(grant) => Some(grant),
            Err((key, reason)) => {
                self.at(&["http", &index.to_string()], &[key], reason.to_string());
                None
            }
        }
    }
}

/// Why `folder` cannot be delivered to.
pub(crate) fn folder_problem(folder: &str) -> Option<String> {
    match words::path_problem(folder) {
        Some(reason) => Some(format!("this is no folder: {reason}")),
        None if words::climbs(folder) => Some("a folder must not contain `..`".to_owned()),
        None => None,
    }
}

/// Why this cannot be an environment variable.
pub(crate) fn env_problem(name: &str, value: &str) -> Option<String> {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let fits = (1..=128).contains(&name.len()) && name.bytes().all(inside) && !name.as_bytes()[0].is_ascii_digit();
    if !fits {
        return Some(
            "a variable's name is made of letters, digits and `_`, and does not begin with a digit".to_owned(),
        );
    }
    if value.len() > ENV_VALUE {
        return Some(format!("a variable's value has at most {ENV_VALUE} bytes"));
    }
    if value.contains('\0') {
        return Some("a variable's value must not contain a zero byte".to_owned());
    }
    value.contains("${").then(|| "a variable's value must be fixed: expressions are not possible here".to_owned())
}
