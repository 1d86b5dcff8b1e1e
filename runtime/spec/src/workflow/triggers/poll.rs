//! `poll` triggers: as they are written, and their checks.

use schemars::JsonSchema;
use serde::Deserialize;
use trackside_codes::Reason;

use crate::{
    entries::Short,
    expr::Expr,
    grant::HttpGrant,
    ordered::Ordered,
    origin::Origin,
    triggers::{Existing, MqttPayload, PollChange, PollHeader, PollTrigger, PollValue},
    units::{ByteSize, Duration},
    workflow::{allow_file::SECRET_NAME, checker::Checker, words},
};

const LONGEST_URL: usize = 8 << 10;
const LONGEST_PERIOD_MS: u64 = 366 * 86_400_000;
const LONGEST_TIMEOUT_MS: u64 = 600_000;
const LARGEST_BODY: ByteSize = ByteSize::from_mib(64);
const MOST_HEADERS: usize = 32;
const LONGEST_VALUE: usize = 8 << 10;
const MOST_REDIRECTS: usize = 16;
/// What the request itself says, or what changes how its answer has to be read.
const TAKEN: [&str; 13] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "range",
    "if-range",
    "if-none-match",
    "if-modified-since",
    "accept-encoding",
];

/// Every change of something that a server gives starts a run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a poll trigger: a mapping with `url`")]
#[schemars(rename = "PollTrigger")]
pub(crate) struct PollTriggerFile {
    /// What is asked for, by `GET`: an absolute URL with `https` or `http`.
    pub(crate) url: String,
    /// The time from one look to the next, at least a second. After a failure it grows.
    #[serde(default = "default_every")]
    pub(crate) every: Duration,
    /// How long one look may take, at most 10m.
    #[serde(default = "default_timeout")]
    pub(crate) timeout: Duration,
    /// Headers that are sent: names to texts, or to mappings with `secret`.
    #[serde(default)]
    pub(crate) headers: Ordered<Short<PollHeaderEntry>>,
    /// What makes a new version: other bytes, with the server being told what is known (`auto`), another ETag (`etag`),
    /// another date (`last-modified`), other bytes whatever the server says (`digest`), or a CEL expression over
    /// `trigger.payload`: another value of it. While it is null nothing starts.
    #[serde(default = "default_changed")]
    pub(crate) changed: String,
    /// What the first look does: it starts a run like any change (`run`), or only remembers what it saw (`ignore`).
    #[serde(default)]
    pub(crate) existing: Existing,
    /// What a body is: a JSON document (`trigger.payload`), or bytes (`trigger.body`, an artifact).
    #[serde(default)]
    pub(crate) payload: MqttPayload,
    /// The longest body, at most 64MiB.
    #[serde(default = "default_max_body")]
    pub(crate) max_body: ByteSize,
    /// Other origins that redirects may lead to. Within the URL's own origin they are followed anyway. No header of `headers`
    /// goes to another origin.
    #[serde(default)]
    pub(crate) redirects: Vec<String>,
    /// Whether the host may have an address in a private network (loopback, local addresses).
    #[serde(default)]
    pub(crate) private: bool,
}

/// A header's value: a text, or a secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a text, or a mapping with `secret`")]
#[schemars(rename = "PollHeader")]
pub(crate) struct PollHeaderEntry {
    /// The secret's name in `[secrets]` of trackside.toml. Its `hosts` must name the URL's host.
    pub(crate) secret: String,
    /// What stands before the value, such as `"Bearer "`.
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(skip)]
    text: Option<String>,
}

impl From<String> for PollHeaderEntry {
    fn from(text: String) -> Self {
        Self { secret: String::new(), prefix: String::new(), text: Some(text) }
    }
}

fn default_every() -> Duration {
    Duration::from_millis(300_000)
}

fn default_timeout() -> Duration {
    Duration::from_millis(30_000)
}

fn default_changed() -> String {
    "auto".to_owned()
}

fn default_max_body() -> ByteSize {
    ByteSize::from_mib(1)
}

pub(super) fn check(poll: PollTriggerFile, position: &str, checker: &mut Checker<'_, '_>) -> PollTrigger {
    let path = |key: &'static str| ["triggers", position, "poll", key];
    let mut grants = Vec::new();
    match origin(&poll.url) {
        Ok(origin) => grants.push(get(origin, poll.private)),
        Err(reason) => checker.at("TS-0103", &path("url"), format!("this is no URL that can be asked: {reason}"), None),
    }
    if !(1_000..=LONGEST_PERIOD_MS).contains(&poll.every.as_millis()) {
        checker.at("TS-0103", &path("every"), "between 1s and 366d", None);
    }
    if !(1..=LONGEST_TIMEOUT_MS).contains(&poll.timeout.as_millis()) {
        checker.at("TS-0103", &path("timeout"), "at most 10m", None);
    }
    if !(ByteSize::from_bytes(1)..=LARGEST_BODY).contains(&poll.max_body) {
        checker.at("TS-0103", &path("max_body"), format!("between 1B and {LARGEST_BODY}"), None);
    }
    if poll.redirects.len() > MOST_REDIRECTS {
        let message = format!("{} origins; the limit is {MOST_REDIRECTS}", poll.redirects.len());
        checker.at_key("TS-0108", &path("redirects"), message, None);
    }
    for (index, text) in poll.redirects.iter().enumerate() {
        match Origin::parse(text) {
            Ok(origin) => grants.push(get(origin, poll.private)),
            Err(reason) => {
                let path = ["triggers", position, "poll", "redirects", &index.to_string()];
                checker.at("TS-0103", &path, format!("this is no origin: {reason}"), None);
            }
        }
    }
    let changed = changed(poll.changed, poll.payload, position, checker);
    let is_open = !poll.url.starts_with("https://") && !poll.private;
    let headers = headers(poll.headers, is_open, position, checker);
    PollTrigger {
        url: poll.url,
        every: poll.every,
        timeout: poll.timeout,
        headers,
        changed,
        existing: poll.existing,
        payload: poll.payload,
        max_body: poll.max_body,
        grants,
    }
}

fn get(origin: Origin, private: bool) -> HttpGrant {
    HttpGrant { origin, methods: vec!["GET".to_owned()], private }
}

/// The origin of a URL, with its path where that is plain enough to be a prefix.
fn origin(url: &str) -> Result<Origin, Reason> {
    if url.len() > LONGEST_URL || url.contains("${") || url.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(format!("it must be fixed, plain ASCII without spaces, at most {LONGEST_URL} bytes").into());
    }
    if url.contains('#') {
        return Err("a part behind `#` is never sent".into());
    }
    let whole = url.split('?').next().unwrap_or(url);
    let start = whole.find("://").map_or(0, |at| at + 3);
    let end = whole[start..].find('/').map_or(whole.len(), |at| start + at);
    let (server, path) = whole.split_at(end);
    let origin = Origin::parse(server)?;
    Ok(match origin.clone().with_path(path) {
        Ok(below) => below,
        Err(_) => origin,
    })
}

fn changed(text: String, payload: MqttPayload, position: &str, checker: &mut Checker<'_, '_>) -> PollChange {
    let path = ["triggers", position, "poll", "changed"];
    match text.trim() {
        "auto" => return PollChange::Auto,
        "etag" => return PollChange::Etag,
        "last-modified" => return PollChange::LastModified,
        "digest" => return PollChange::Digest,
        _ => {}
    }
    let help = Some("auto, etag, last-modified, digest, or an expression such as trigger.payload.version".to_owned());
    match Expr::compile(&text) {
        Err(error) => checker.at("TS-0103", &path, format!("this is no expression: {error}"), help),
        Ok(expr) => {
            let reads = |name: &crate::Name| name.path.starts_with(&["trigger".to_owned(), "payload".to_owned()]);
            if let Some(name) = expr.names().iter().find(|name| !reads(name)) {
                let message = format!("`{}` has no value before there is a run", name.path.join("."));
                checker.at("TS-0104", &path, message, help);
            } else if expr.names().is_empty() {
                checker.at("TS-0103", &path, "it is always the same, so that nothing would ever start", help);
            }
        }
    }
    if payload == MqttPayload::Artifact {
        checker.at_key("TS-0110", &path, "an expression reads a JSON document: it needs `payload: json`", None);
    }
    PollChange::Value(text)
}

fn headers(
    given: Ordered<Short<PollHeaderEntry>>,
    is_open: bool,
    position: &str,
    checker: &mut Checker<'_, '_>,
) -> Vec<PollHeader> {
    if given.0.len() > MOST_HEADERS {
        let message = format!("{} headers; the limit is {MOST_HEADERS}", given.0.len());
        checker.at_key("TS-0108", &["triggers", position, "poll", "headers"], message, None);
    }
    let mut headers = Vec::new();
    for (name, Short(entry)) in given.0 {
        let path = ["triggers", position, "poll", "headers", &name];
        let lower = name.to_ascii_lowercase();
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(token) {
            checker.at_key("TS-0103", &path, "this is no name of a header", None);
        } else if TAKEN.contains(&lower.as_str()) {
            checker.at_key("TS-0103", &path, "this header is the node's own", None);
        }
        let value = match entry.text {
            Some(text) => PollValue::Text(text),
            None => PollValue::Secret { prefix: entry.prefix, name: entry.secret },
        };
        let fixed = match &value {
            PollValue::Text(text) => text,
            PollValue::Secret { prefix, .. } => prefix,
        };
        if fixed.len() > LONGEST_VALUE || fixed.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
            checker.at("TS-0103", &path, format!("a value is plain ASCII, at most {LONGEST_VALUE} bytes"), None);
        } else if fixed.contains("${") {
            checker.at("TS-0103", &path, "a value is fixed: expressions are not possible here", None);
        }
        if let PollValue::Secret { name: secret, .. } = &value {
            if !words::is_model_name(secret) {
                checker.at("TS-0103", &path, SECRET_NAME, None);
            } else if is_open {
                let help = Some("ask by https, or say `private: true` where the server is beside the box".to_owned());
                checker.at("TS-0110", &path, "the secret would cross the internet in the open", help);
            }
        }
        headers.push(PollHeader { name: lower, value });
    }
    headers
}
