//! The node's policy against what a step asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    entries::{HttpEntry, Short},
    grant::{Allow, HttpGrant},
    topic,
};

/// What no workflow on this box may go beyond.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a [policy] table")]
pub struct Policy {
    /// The only requests that may be sent: origins, or tables that say more. Without this key the workflows decide; an
    /// empty list forbids all requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<Vec<Short<HttpEntry>>>,
    /// Whether private networks may be called at all. Without this key the workflows decide, as far as `http` here
    /// says `private`, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// The only secrets that steps may use. Without this key the workflows decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// The only models that plugins may run. Without this key the workflows decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Whether a model is taken and loaded only when one of `model_keys` has signed it: those of the registry, and those that
    /// trackside.toml or a workflow names by their path.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub signed_models: bool,
    /// Public keys (PEM files) whose signatures of models count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model_keys: Vec<String>,
    /// Whether steps may keep state. Without this key the workflows decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<bool>,
    /// The only environment variables that plugins may be given. Without this key the workflows decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// The only folders that files may be delivered below. Without this key any folder below the project is possible,
    /// and no absolute one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliver: Option<Vec<String>>,
    /// The only topics that messages may be published on, with `+` and `#`. Without this key the workflows decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish: Option<Vec<String>>,
    /// The only events that steps may emit, by name. Without this key the workflows decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emit: Option<Vec<String>>,
    /// Whether plugins may see the real clocks. Without this key the workflows decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<bool>,
    /// Whether plugins may get real randomness. Without this key the workflows decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random: Option<bool>,
}

impl Policy {
    /// The requests that may be sent; `None` = the workflows decide. An entry that makes no sense grants nothing.
    #[must_use]
    pub fn http_grants(&self) -> Option<Vec<HttpGrant>> {
        let entries = self.http.as_ref()?;
        Some(entries.iter().filter_map(|Short(entry)| entry.grant().ok()).collect())
    }

    /// Whether anything may be delivered below `path`, a folder or a file.
    ///
    /// Paths are compared as text, so that nothing here reads a disk: whoever opens a folder must still make sure that
    /// links do not lead out of it.
    #[must_use]
    pub fn permits_delivery(&self, path: &str) -> bool {
        match &self.deliver {
            Some(allowed) => allowed.iter().any(|folder| is_below(path, folder)),
            None => inside_project(path),
        }
    }

    /// Whether one of `list` is `wanted`; without a list the workflows decide.
    #[must_use]
    pub fn lists(list: Option<&Vec<String>>, wanted: &str) -> bool {
        list.is_none_or(|list| list.iter().any(|item| item == wanted))
    }

    /// Whether a message may be published on `topic`, a topic or a filter.
    #[must_use]
    pub fn permits_topic(&self, topic: &str) -> bool {
        self.publish.as_ref().is_none_or(|filters| filters.iter().any(|filter| topic::covers(filter, topic)))
    }

    /// What `allow` asks for and this box refuses, one sentence each; empty when all is granted.
    #[must_use]
    pub fn refusals(&self, allow: &Allow) -> Vec<String> {
        let mut refusals = Vec::new();
        let mut refuse = |what: String, key: &str| refusals.push(format!("{what} on this box: [policy] {key}"));
        let http = self.http_grants();
        for wanted in &allow.http {
            let covering: Option<Vec<&HttpGrant>> =
                http.as_ref().map(|grants| grants.iter().filter(|grant| grant.covers(wanted)).collect());
            if covering.as_ref().is_some_and(Vec::is_empty) {
                refuse(format!("{} may not be called", wanted.origin), "http does not list it");
            } else if wanted.private && self.private == Some(false) {
                refuse(format!("{} may not be in a private network", wanted.origin), "private is false");
            } else if wanted.private && covering.is_some_and(|covering| !covering.iter().any(|grant| grant.private)) {
                refuse(format!("{} may not be in a private network", wanted.origin), "http lists it without `private`");
            }
        }
        for secret in &allow.secrets {
            if !Self::lists(self.secrets.as_ref(), &secret.name) {
                refuse(format!("the secret {} may not be used", secret.name), "secrets does not list it");
            }
        }
        for model in &allow.models {
            if !Self::lists(self.models.as_ref(), model) {
                refuse(format!("the model {model} may not be run"), "models does not list it");
            }
        }
        for name in allow.env.keys() {
            if !Self::lists(self.env.as_ref(), name) {
                refuse(format!("the variable {name} may not be given"), "env does not list it");
            }
        }
        for wanted in allow.deliver.iter().filter(|folder| !self.permits_delivery(folder)) {
            refuse(format!("files may not be delivered to {wanted}"), "deliver does not list it");
        }
        for wanted in allow.publish.iter().filter(|topic| !self.permits_topic(topic)) {
            refuse(format!("nothing may be published on {wanted}"), "publish does not list it");
        }
        for event in &allow.emit {
            if !Self::lists(self.emit.as_ref(), event) {
                refuse(format!("the event {event} may not be emitted"), "emit does not list it");
            }
        }
        for (asked, policy, what, key) in [
            (allow.state, self.state, "no step may keep state", "state is false"),
            (allow.clock, self.clock, "no step may see the clocks", "clock is false"),
            (allow.random, self.random, "no step may get real randomness", "random is false"),
        ] {
            if asked && policy == Some(false) {
                refuse(what.to_owned(), key);
            }
        }
        refusals
    }
}

fn inside_project(path: &str) -> bool {
    !is_absolute(path) && !crate::workflow::words::climbs(path)
}

fn is_absolute(path: &str) -> bool {
    path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':')
}

/// Whether `path` is `folder` or below it. `.` is the project and everything below it.
fn is_below(path: &str, folder: &str) -> bool {
    if is_absolute(path) != is_absolute(folder) || crate::workflow::words::climbs(path) {
        return false;
    }
    let segments = |path: &str| -> Vec<String> {
        path.split(['/', '\\']).filter(|segment| !matches!(*segment, "" | ".")).map(str::to_owned).collect()
    };
    segments(path).starts_with(&segments(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::SecretGrant;

    fn http(list: &[&str]) -> Vec<HttpGrant> {
        list.iter().map(|origin| HttpGrant::parse(origin).unwrap()).collect()
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    fn entries(list: &[HttpEntry]) -> Option<Vec<Short<HttpEntry>>> {
        Some(list.iter().cloned().map(Short).collect())
    }

    #[test]
    fn without_a_policy_workflows_decide_but_stay_below_the_project() {
        let policy = Policy::default();
        let local = http(&["http://10.0.0.1"]).remove(0).private();
        let all = Allow {
            http: vec![local],
            deliver: words(&["out", "./x/y"]),
            secrets: vec![SecretGrant { name: "a".into(), reveal: true }],
            clock: true,
            publish: words(&["#"]),
            emit: words(&["done"]),
            ..Allow::default()
        };
        assert_eq!(policy.refusals(&all), Vec::<String>::new());
        for outside in ["/srv/out", "out/../..", "..", "C:\\x"] {
            let allow = Allow { deliver: words(&[outside]), ..Allow::default() };
            assert_eq!(policy.refusals(&allow).len(), 1, "{outside}");
        }
    }

    #[test]
    fn a_policy_bounds_what_workflows_get() {
        let policy = Policy {
            http: entries(&[
                "https://a.example/v1".to_owned().into(),
                HttpEntry { private: true, methods: words(&["get"]), ..String::from("http://10.0.0.1").into() },
            ]),
            deliver: Some(words(&["/srv/out", "reports"])),
            secrets: Some(words(&["a"])),
            publish: Some(words(&["site/+/alarm"])),
            emit: Some(words(&["alarm"])),
            state: Some(false),
            ..Policy::default()
        };
        let get =
            |private| HttpGrant { methods: words(&["GET"]), private, ..HttpGrant::parse("http://10.0.0.1/x").unwrap() };
        let granted = Allow {
            http: [http(&["https://a.example/v1/x"]), vec![get(true)]].concat(),
            deliver: words(&["/srv/out/a", "reports"]),
            publish: words(&["site/7/alarm"]),
            emit: words(&["alarm"]),
            ..Allow::default()
        };
        assert_eq!(policy.refusals(&granted), Vec::<String>::new());
        let refused = Allow {
            http: http(&["https://a.example", "http://10.0.0.1"]),
            deliver: words(&["/srv/outer", "other", "/"]),
            secrets: vec![SecretGrant { name: "b".into(), reveal: false }],
            publish: words(&["site/#"]),
            emit: words(&["alarm", "alarms"]),
            state: true,
            ..Allow::default()
        };
        assert_eq!(policy.refusals(&refused).len(), 9, "{:#?}", policy.refusals(&refused));
    }

    #[test]
    fn a_private_network_needs_the_word_of_the_box() {
        let wish = Allow { http: vec![http(&["https://a.example"]).remove(0).private()], ..Allow::default() };
        let open = Policy { http: entries(&["https://a.example".to_owned().into()]), ..Policy::default() };
        assert_eq!(open.refusals(&wish).len(), 1);
        let closed = Policy { private: Some(false), ..Policy::default() };
        assert_eq!(closed.refusals(&wish).len(), 1);
    }
}
