//! Settings of a trigger that asks a server every so often.

use super::{Existing, MqttPayload};
use crate::{
    config::NodeConfig,
    grant::{Allow, HttpGrant, SecretGrant},
    origin::host_and_port,
    units::{ByteSize, Duration},
};

/// Settings of a poll trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollTrigger {
    /// What is asked for: an absolute URL.
    pub url: String,
    /// From one look to the next.
    pub every: Duration,
    /// For one look, redirects and body included.
    pub timeout: Duration,
    /// Sent with each look.
    pub headers: Vec<PollHeader>,
    /// What makes two answers the same.
    pub changed: PollChange,
    /// What the first look does.
    pub existing: Existing,
    /// What a body is to the run.
    pub payload: MqttPayload,
    /// The longest body.
    pub max_body: ByteSize,
    /// The URL's own origin, for `GET` alone, and those that redirects may lead to besides.
    pub grants: Vec<HttpGrant>,
}

/// One header of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollHeader {
    /// In small letters.
    pub name: String,
    /// Its value.
    pub value: PollValue,
}

/// A header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PollValue {
    /// As it stands.
    Text(String),
    /// A secret of the box.
    Secret {
        /// What stands before it, such as `Bearer `.
        prefix: String,
        /// Its name in `[secrets]`.
        name: String,
    },
}

/// What makes two answers the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PollChange {
    /// The same bytes; the server is told what is known, so that it need not send them.
    Auto,
    /// The same `ETag`.
    Etag,
    /// The same `Last-Modified`.
    LastModified,
    /// The same bytes, whatever the server says of them.
    Digest,
    /// The same value of this expression over `trigger.payload`. Null starts nothing.
    Value(String),
}

impl PollTrigger {
    /// What this trigger's memory is about: with another text it begins anew.
    #[must_use]
    pub fn key(&self) -> String {
        let rule = match &self.changed {
            PollChange::Auto => "auto",
            PollChange::Etag => "etag",
            PollChange::LastModified => "last-modified",
            PollChange::Digest => "digest",
            PollChange::Value(expression) => expression,
        };
        format!("{rule} of {}", self.url)
    }

    /// The URL without its query, which may hold a permission.
    #[must_use]
    pub fn shown_url(&self) -> &str {
        self.url.split('?').next().unwrap_or(&self.url)
    }

    /// Whether its own host may have a private address.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.grants.first().is_some_and(|grant| grant.private)
    }

    /// The secrets that it sends.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().filter_map(|header| match &header.value {
            PollValue::Secret { name, .. } => Some(name.as_str()),
            PollValue::Text(_) => None,
        })
    }

    /// What the box refuses it: the key that asks for it, a sentence, and what to do.
    pub(crate) fn refusals(&self, config: &NodeConfig) -> Vec<(&'static str, String, String)> {
        let secrets = self.secrets().map(|name| SecretGrant { name: name.to_owned(), reveal: false }).collect();
        let allow = Allow { http: self.grants.clone(), secrets, ..Allow::default() };
        let mend = || "ask for something else, or change [policy] in trackside.toml".to_owned();
        let mut refusals: Vec<_> =
            config.policy.refusals(&allow).into_iter().map(|reason| ("url", reason, mend())).collect();
        for name in self.secrets() {
            let Some(secret) = config.secrets.get(name) else {
                let help = format!("[secrets.{name}] in trackside.toml");
                refusals.push(("headers", format!("there is no secret `{name}` on this box"), help));
                continue;
            };
            if !secret.hosts.iter().any(|host| self.goes_to(host)) {
                let message = format!("the secret `{name}` may not be sent to the host of this URL");
                refusals.push(("headers", message, format!("add the host to `hosts` of [secrets.{name}]")));
            }
        }
        refusals
    }

    /// Whether a secret's `host` or `host:port` is where the looks go.
    fn goes_to(&self, host: &str) -> bool {
        let Some(origin) = self.grants.first().map(|grant| &grant.origin) else { return false };
        let own = if origin.is_https() { 443 } else { 80 };
        host_and_port(host).is_ok_and(|(host, port)| host == origin.host() && port.unwrap_or(own) == origin.port())
    }
}
