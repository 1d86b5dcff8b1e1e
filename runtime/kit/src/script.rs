//! Scripted HTTP: the requests that a case expects, in their order, and what they are answered.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use trackside_codes::{Class, Reason};
use trackside_sandbox::{HttpRequest, HttpResponse};
use trackside_spec::Origin;

use crate::case::{Exchange, ExpectRequest, Response};

/// Longest part of a body in a message, in characters.
const SHOWN: usize = 200;

/// Where a case's conversation stands.
pub(crate) struct Script {
    exchanges: Vec<Exchange>,
    next: usize,
    /// What differed from the script.
    problems: Vec<String>,
}

impl Script {
    /// # Errors
    /// A sentence about the first exchange that makes no sense.
    pub(crate) fn new(exchanges: &[Exchange]) -> Result<Self, Reason> {
        for (index, exchange) in exchanges.iter().enumerate() {
            check(exchange).map_err(|reason| reason.told(|text| format!("http[{index}]: {text}")))?;
        }
        Ok(Self { exchanges: exchanges.to_vec(), next: 0, problems: Vec::new() })
    }

    /// The answer to the next request. The error is what the guest is told of the connection.
    pub(crate) fn answer(&mut self, request: &HttpRequest) -> Result<HttpResponse, Reason> {
        let index = self.next;
        let Some(exchange) = self.exchanges.get(index) else {
            let problem = format!("http[{index}]: {} {} is not in the case", request.method, request.url);
            self.problems.push(problem);
            return Err("the case has no answer to this request".into());
        };
        self.next += 1;
        let found = differences(exchange, request);
        self.problems.extend(found.iter().map(|difference| format!("http[{index}].request.{difference}")));
        match (&exchange.response, &exchange.error) {
            (Some(response), _) => Ok(HttpResponse {
                status: response.status,
                headers: response.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                body: response.bytes()?,
            }),
            (None, error) => Err(Reason::new(Class::Unavailable, error.clone().unwrap_or_default())),
        }
    }

    /// Everything that differed, with the requests that never came.
    pub(crate) fn problems(&self) -> Vec<String> {
        let missing = self.exchanges.iter().enumerate().skip(self.next);
        let missing = missing.map(|(index, Exchange { request, .. })| {
            format!("http[{index}]: {} {} was never sent", request.method, request.url)
        });
        self.problems.iter().cloned().chain(missing).collect()
    }
}

fn check(exchange: &Exchange) -> Result<(), Reason> {
    origin(&exchange.request.url).map_err(|reason| reason.told(|text| format!("request.url: {text}")))?;
    exchange.request.bytes().map_err(|reason| reason.told(|text| format!("request: {text}")))?;
    match (&exchange.response, &exchange.error) {
        (Some(response), None) => {
            response.bytes().map(drop).map_err(|reason| reason.told(|reason| format!("response: {reason}")))
        }
        (None, Some(_)) => Ok(()),
        _ => Err("give either a `response` or an `error`".into()),
    }
}

/// The origin of a URL; its path and query do not matter here.
fn origin(url: &str) -> Result<Origin, Reason> {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let end = url[after_scheme..].find(['/', '?', '#']).map_or(url.len(), |at| after_scheme + at);
    Origin::parse(&url[..end])
}

fn differences(exchange: &Exchange, request: &HttpRequest) -> Vec<String> {
    let wanted = &exchange.request;
    let mut found = Vec::new();
    let mut differs = |what: String, was: &str, wanted: &str| {
        if was != wanted {
            found.push(format!("{what}: {}, expected {}", cut(was), cut(wanted)));
        }
    };
    differs("method".to_owned(), &request.method, &wanted.method.to_ascii_uppercase());
    differs("url".to_owned(), &request.url, &wanted.url);
    for (name, value) in &wanted.headers {
        let sent = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        differs(format!("headers.{name}"), sent.map_or("nothing", |(_, value)| value), value);
    }
    let body = || String::from_utf8_lossy(&request.body);
    if let Some(wanted) = &wanted.json {
        let sent: Option<Value> = serde_json::from_slice(&request.body).ok();
        if sent.as_ref() != Some(wanted) {
            differs("json".to_owned(), &body(), &wanted.to_string());
        }
    } else if let Ok(Some(wanted)) = wanted.bytes()
        && wanted != request.body
    {
        differs("body".to_owned(), &format!("{:?}", body()), &format!("{:?}", String::from_utf8_lossy(&wanted)));
    }
    found
}

impl ExpectRequest {
    /// The body; `None` when the case says nothing about it.
    fn bytes(&self) -> Result<Option<Vec<u8>>, Reason> {
        bytes(self.body.as_ref(), self.json.as_ref(), self.base64.as_ref())
    }
}

impl Response {
    fn bytes(&self) -> Result<Vec<u8>, Reason> {
        Ok(bytes(self.body.as_ref(), self.json.as_ref(), self.base64.as_ref())?.unwrap_or_default())
    }
}

fn bytes(text: Option<&String>, json: Option<&Value>, base64: Option<&String>) -> Result<Option<Vec<u8>>, Reason> {
    match (text, json, base64) {
        (None, None, None) => Ok(None),
        (Some(text), None, None) => Ok(Some(text.clone().into_bytes())),
        (None, Some(value), None) => Ok(Some(value.to_string().into_bytes())),
        (None, None, Some(text)) => {
            let packed: String = text.split_ascii_whitespace().collect();
            let read = BASE64_STANDARD.decode(packed).map(Some);
            read.map_err(|error| Reason::by(Class::BadInput, error).told(|text| format!("no Base64: {text}")))
        }
        _ => Err("give at most one of `body`, `json` and `base64`".into()),
    }
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}
