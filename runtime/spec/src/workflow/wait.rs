//! `wait:` as it is written, and its checks.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{
    checker::Checker,
    file::WhenFile,
    steps::{self, Site},
    words,
};
use crate::{
    plan::{AwaitedEvent, OnMissing, Wait},
    units::Duration,
};

/// What a step waits for: one of `for`, `until` and `event`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "what to wait for: a mapping with `for`, `until` or `event`")]
#[schemars(rename = "Wait")]
pub(crate) struct WaitFile {
    /// How long: a duration such as `10m`. It may hold `${expression}`.
    #[serde(rename = "for")]
    pub(crate) length: Option<String>,
    /// Until when: RFC 3339, such as `2026-12-24T18:00:00Z`, or milliseconds since 1970. It may hold `${expression}`. A time
    /// that has passed is waited for no longer.
    pub(crate) until: Option<Value>,
    /// An event's name: the step waits until a step of any run, or a person, emits it.
    pub(crate) event: Option<String>,
    /// Which events of that name count, in CEL without `${}`: `event.data` is what the event brought, `event.run`,
    /// `event.workflow` and `event.step` who emitted it. One that the condition fails on does not count.
    #[serde(rename = "where")]
    pub(crate) condition: Option<WhenFile>,
    /// How long the event may take. Without it the step waits until it comes.
    pub(crate) timeout: Option<Duration>,
    /// What happens when it does not come in time: the step fails with `wait-timeout` (`fail`), or ends well and its output
    /// says `timed_out: true` (`continue`).
    #[serde(default)]
    pub(crate) on_timeout: OnMissing,
}

pub(super) fn check(file: WaitFile, site: Site<'_>, checker: &mut Checker<'_, '_>) -> Option<Wait> {
    let path = |key: &'static str| [site.path[0], site.path[1], "wait", key];
    let said = [("for", file.length.is_some()), ("until", file.until.is_some()), ("event", file.event.is_some())];
    let said: Vec<&str> = said.iter().filter(|(_, said)| *said).map(|(key, _)| *key).collect();
    let [kind] = said.as_slice() else {
        let help = Some("one of `for: 10m`, `until: TIME` and `event: NAME`".to_owned());
        checker.at_key("TS-0102", &site.key("wait"), "what does the step wait for?", help);
        return None;
    };
    if *kind != "event" {
        for key in ["where", "timeout", "on_timeout"] {
            if checker.root.at(path(key)).is_some() {
                checker.at_key("TS-0102", &path(key), format!("`{key}` is for events"), None);
            }
        }
    }
    let template = |key: &'static str, value: &Value, checker: &mut Checker<'_, '_>| {
        steps::compile_at(&path(key), value, site.place, site.names, checker)
    };
    if let Some(length) = file.length {
        let fixed = !length.contains("${");
        if let Some(error) = length.parse::<Duration>().err().filter(|_| fixed) {
            checker.at("TS-0103", &path("for"), error.to_string(), None);
        }
        return template("for", &length.into(), checker).map(Wait::For);
    }
    if let Some(until) = file.until {
        if !(until.is_string() || until.is_i64()) {
            let message = "a time is a text such as 2026-12-24T18:00:00Z, or milliseconds since 1970";
            checker.at("TS-0103", &path("until"), message, None);
        }
        return template("until", &until, checker).map(Wait::Until);
    }
    let name = file.event?;
    event_name(&name, &path("event"), checker);
    if file.timeout.is_some_and(|timeout| timeout.as_millis() == 0) {
        checker.at("TS-0103", &path("timeout"), "a timeout of nothing would pass at once", None);
    }
    if file.timeout.is_none() && checker.root.at(path("on_timeout")).is_some() {
        let help = Some("add `timeout`, how long the event may take".to_owned());
        checker.at_key("TS-0102", &path("on_timeout"), "without `timeout` it waits for ever", help);
    }
    let place = site.place.with_event();
    let condition = match file.condition {
        Some(when) => Some(steps::condition(&path("where"), when, place, site.names, checker)?),
        None => None,
    };
    Some(Wait::Event(Box::new(AwaitedEvent { name, condition, timeout: file.timeout, on_timeout: file.on_timeout })))
}

/// Reports a name that no event has.
pub(super) fn event_name(name: &str, path: &[&str], checker: &mut Checker<'_, '_>) {
    if !is_event_name(name) {
        checker.at("TS-0103", path, EVENT_NAME, None);
    }
}

/// Whether an event can have this name.
#[must_use]
pub fn is_event_name(name: &str) -> bool {
    words::is_model_name(name)
}

/// What an event's name looks like.
pub(crate) const EVENT_NAME: &str = "an event's name is made of letters, digits, `.`, `_` and `-`, at most 64";
