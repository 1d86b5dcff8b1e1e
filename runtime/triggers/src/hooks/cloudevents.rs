//! CloudEvents 1.0 over HTTP: structured mode (one JSON document) and binary mode (attributes as headers).
//!
//! Written from the specification: CloudEvents 1.0.2, its HTTP protocol binding and its JSON event format. Batches are
//! refused: a request starts one run.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::DateTime;
use serde_json::{Map, Value};
use trackside_codes::{Class, Code, Coded, Reason, code};
use trackside_spec::read_outside;

use super::payload::unmarked;

const STRUCTURED: &str = "application/cloudevents+json";
const MAX_ATTRIBUTES: usize = 64;
const MAX_VALUE: usize = 4096;
const REQUIRED: [&str; 3] = ["id", "source", "type"];

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    /// `id`, `source`, `type`, `specversion` and whatever else is said about it: `trigger.event`.
    pub attributes: Map<String, Value>,
    /// What it brings.
    pub data: Option<EventData>,
}

/// What an event brings.
#[derive(Debug, Clone, PartialEq)]
pub enum EventData {
    /// A JSON document: `trigger.payload`.
    Json(Value),
    /// Bytes of another kind.
    Bytes(Vec<u8>),
}

impl CloudEvent {
    /// What makes the event itself: producers send it again with the same source and id when they heard no answer.
    #[must_use]
    pub fn identity(&self) -> String {
        let text = |name: &str| self.attributes.get(name).and_then(Value::as_str).unwrap_or_default();
        let source = text("source");
        // The length keeps ("a:b", "c") and ("a", "b:c") apart.
        format!("event:{}:{source}:{}", source.len(), text("id"))
    }
}

/// Why a request is no CloudEvent.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CloudEventError {
    /// Neither mode.
    #[error(
        "{code}: the request is no CloudEvent: send {STRUCTURED}, or ce-specversion, ce-id, ce-source and ce-type as headers",
        code = self.code()
    )]
    NoEvent,
    /// A form that is not taken.
    #[error("{code}: {found} is not taken: send one event as {STRUCTURED}, or in binary mode", code = self.code())]
    Form {
        /// The content type, shortened.
        found: String,
    },
    /// The document is not JSON, or not of the right shape.
    #[error("{code}: the event's {part} is not understood: {reason}", code = self.code())]
    Document {
        /// What part.
        part: &'static str,
        /// Why.
        #[source]
        reason: Reason,
    },
    /// An attribute is missing or wrong.
    #[error("{code}: the event's attribute `{name}` {reason}", code = self.code())]
    Attribute {
        /// Its name, shortened.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Coded for CloudEventError {
    fn code(&self) -> Code {
        match self {
            Self::NoEvent => code!("TS-0440"),
            Self::Form { .. } => code!("TS-0441"),
            Self::Document { .. } => code!("TS-0442"),
            Self::Attribute { .. } => code!("TS-0443"),
        }
    }
}

/// Reads the event that a request brings. Header names are in any case; of several with one name the first counts.
///
/// # Errors
/// [`CloudEventError`] when it is none, or one that breaks the specification.
pub fn read(headers: &[(&str, &str)], body: &[u8]) -> Result<CloudEvent, CloudEventError> {
    let content_type = header(headers, "content-type").unwrap_or_default().trim();
    let media_type = media_type(content_type);
    if media_type == STRUCTURED {
        return structured(body);
    }
    if media_type.starts_with("application/cloudevents") {
        return Err(CloudEventError::Form { found: clip(&media_type) });
    }
    binary(headers, content_type, body)
}

fn header<'h>(headers: &[(&str, &'h str)], wanted: &str) -> Option<&'h str> {
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
}

fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(content_type: &str) -> bool {
    let media_type = media_type(content_type);
    media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json")
}

fn structured(body: &[u8]) -> Result<CloudEvent, CloudEventError> {
    let document = |part, reason: Reason| CloudEventError::Document { part, reason };
    let event: Value =
        read_outside(unmarked(body)).map_err(|error| document("document", Reason::by(Class::BadInput, error)))?;
    let Value::Object(members) = event else {
        return Err(document("document", "it is no object".into()));
    };
    let (mut attributes, mut data) = (Map::new(), None);
    for (name, value) in members {
        match (name.as_str(), value) {
            ("data", value) if data.is_none() => data = Some(EventData::Json(value)),
            ("data_base64", Value::String(text)) if data.is_none() => {
                let bytes = STANDARD
                    .decode(&text)
                    .map_err(|error| document("data_base64", Reason::by(Class::BadInput, error)))?;
                data = Some(EventData::Bytes(bytes));
            }
            ("data_base64", Value::String(_)) | ("data", _) => {
                return Err(document("data", "`data` and `data_base64` exclude each other".into()));
            }
            ("data_base64", _) => return Err(document("data_base64", "it is no text".into())),
            // As good as absent.
            (_, Value::Null) => {}
            (_, value) => drop(attributes.insert(name, value)),
        }
    }
    check(&attributes)?;
    let content_type = attributes.get("datacontenttype").and_then(Value::as_str).map(str::to_owned);
    // Bytes that are JSON after all are as good as JSON.
    if let (Some(EventData::Bytes(bytes)), Some(true)) = (&data, content_type.as_deref().map(is_json)) {
        data = Some(EventData::Json(json(bytes)?));
    }
    Ok(CloudEvent { attributes, data })
}

fn binary(headers: &[(&str, &str)], content_type: &str, body: &[u8]) -> Result<CloudEvent, CloudEventError> {
    if header(headers, "ce-specversion").is_none() {
        return Err(CloudEventError::NoEvent);
    }
    let mut attributes = Map::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let Some(name) = name.strip_prefix("ce-") else { continue };
        if !attributes.contains_key(name) {
            attributes.insert(name.to_owned(), Value::String(decode(name, value.trim())?));
        }
    }
    if !content_type.is_empty() {
        attributes.insert("datacontenttype".to_owned(), Value::from(content_type));
    }
    check(&attributes)?;
    let data = match body {
        [] => None,
        _ if is_json(content_type) => Some(EventData::Json(json(body)?)),
        _ => Some(EventData::Bytes(body.to_vec())),
    };
    Ok(CloudEvent { attributes, data })
}

fn json(bytes: &[u8]) -> Result<Value, CloudEventError> {
    read_outside(unmarked(bytes))
        .map_err(|error| CloudEventError::Document { part: "data", reason: Reason::by(Class::BadInput, error) })
}

fn check(attributes: &Map<String, Value>) -> Result<(), CloudEventError> {
    let refuse = |name: &str, reason: &str| CloudEventError::Attribute { name: clip(name), reason: reason.to_owned() };
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(CloudEventError::Document {
            part: "attributes",
            reason: format!("more than {MAX_ATTRIBUTES}").into(),
        });
    }
    match attributes.get("specversion").and_then(Value::as_str) {
        Some("1.0") => {}
        Some(other) => {
            return Err(refuse("specversion", &format!("is {:?}; only \"1.0\" is taken", clip(other))));
        }
        None => return Err(refuse("specversion", "is missing")),
    }
    for name in REQUIRED {
        if attributes.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
            return Err(refuse(name, "is missing or empty"));
        }
    }
    for (name, value) in attributes {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return Err(refuse(name, "has no right name: lower-case letters and digits only"));
        }
        match value {
            Value::String(text) if text.len() > MAX_VALUE => return Err(refuse(name, "is longer than 4096 bytes")),
            Value::String(text) if text.chars().any(char::is_control) => {
                return Err(refuse(name, "contains a control character"));
            }
            Value::String(_) | Value::Bool(_) => {}
            Value::Number(number) if number.is_i64() => {}
            _ => return Err(refuse(name, "is neither a text nor a whole number nor true nor false")),
        }
    }
    for name in ["subject", "dataschema", "datacontenttype", "time"] {
        if attributes.get(name).is_some_and(|value| value.as_str().is_none_or(str::is_empty)) {
            return Err(refuse(name, "is no text or empty"));
        }
    }
    let time = attributes.get("time").and_then(Value::as_str);
    if time.is_some_and(|time| DateTime::parse_from_rfc3339(time).is_err()) {
        return Err(refuse("time", "is no time as RFC 3339 has it, such as 2026-11-22T06:00:00Z"));
    }
    Ok(())
}

/// The value of a header: characters beyond ASCII are percent-encoded UTF-8.
fn decode(name: &str, value: &str) -> Result<String, CloudEventError> {
    let refuse = || CloudEventError::Attribute {
        name: clip(name),
        reason: "is not encoded as it should be: % stands before two hexadecimal digits of a UTF-8 text".to_owned(),
    };
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(refuse);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high << 4 | low).map_err(|_| refuse())?);
    }
    String::from_utf8(bytes).map_err(|_| refuse())
}

fn clip(text: &str) -> String {
    const LIMIT: usize = 60;
    if text.chars().count() <= LIMIT { text.to_owned() } else { text.chars().take(LIMIT).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn structured(event: &Value) -> Result<CloudEvent, CloudEventError> {
        let body = serde_json::to_vec(event).unwrap();
        read(&[("Content-Type", "application/cloudevents+json; charset=utf-8")], &body)
    }

    fn event() -> Value {
        json!({
            "specversion": "1.0",
            "type": "com.example.someevent",
            "source": "/mycontext/9",
            "id": "C234-1234-1234",
            "time": "2018-04-05T17:31:00Z",
            "comexampleextension1": "value",
            "comexampleothervalue": 5,
            "datacontenttype": "application/json",
            "unsetextension": null,
            "data": { "appinfoA": "abc", "appinfoB": 123, "appinfoC": true },
        })
    }

    #[test]
    fn the_specifications_structured_example_is_read() {
        let read = structured(&event()).unwrap();
        assert_eq!(read.attributes["comexampleothervalue"], json!(5));
        assert!(!read.attributes.contains_key("unsetextension") && !read.attributes.contains_key("data"));
        assert_eq!(read.data, Some(EventData::Json(event()["data"].clone())));
        assert_eq!(read.identity(), "event:12:/mycontext/9:C234-1234-1234");
    }

    #[test]
    fn bytes_come_as_base64_and_json_among_them_is_json() {
        let with = |media_type: &str, bytes: &[u8]| {
            let mut event = event();
            event.as_object_mut().unwrap().remove("data");
            event["datacontenttype"] = media_type.into();
            event["data_base64"] = STANDARD.encode(bytes).into();
            structured(&event).map(|event| event.data)
        };
        assert_eq!(with("image/png", b"\x89PNG").unwrap(), Some(EventData::Bytes(b"\x89PNG".to_vec())));
        assert_eq!(with("application/json", b"[1]").unwrap(), Some(EventData::Json(json!([1]))));
        assert_eq!(with("application/json", b"[1").unwrap_err().code(), "TS-0442");
    }

    const HEADERS: [(&str, &str); 5] = [
        ("ce-specversion", "1.0"),
        ("Ce-Type", "com.example.someevent"),
        ("ce-id", "1234-1234-1234"),
        ("ce-source", "/mycontext/subcontext"),
        ("ce-subject", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
    ];

    fn binary(more: &[(&str, &str)], body: &[u8]) -> Result<CloudEvent, CloudEventError> {
        read(&[more, &HEADERS].concat(), body)
    }

    #[test]
    fn binary_mode_has_its_attributes_in_headers_and_its_data_as_the_body() {
        let event = binary(&[("content-type", "application/json")], b"{\"a\":1}").unwrap();
        assert_eq!(event.attributes["subject"], json!("Euro € 😀"));
        assert_eq!(event.attributes["datacontenttype"], json!("application/json"));
        assert_eq!(event.data, Some(EventData::Json(json!({ "a": 1 }))));
        assert_eq!(
            binary(&[("content-type", "text/csv")], b"a,b").unwrap().data,
            Some(EventData::Bytes(b"a,b".to_vec()))
        );
        assert_eq!(binary(&[], b"").unwrap().data, None);
        assert_eq!(binary(&[("content-type", "application/json")], b"{").unwrap_err().code(), "TS-0442");
    }

    #[test]
    fn what_breaks_the_specification_is_refused_by_name() {
        assert!(matches!(read(&[("content-type", "application/json")], b"{}"), Err(CloudEventError::NoEvent)));
        let batch = read(&[("content-type", "application/cloudevents-batch+json")], b"[]").unwrap_err();
        assert_eq!(batch.code(), "TS-0441");
        let without = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut event = event();
            change(event.as_object_mut().unwrap());
            structured(&event).unwrap_err().to_string()
        };
        assert!(without(&|event| drop(event.remove("id"))).contains("`id` is missing or empty"));
        assert!(without(&|event| event["source"] = "".into()).contains("`source`"));
        assert!(without(&|event| event["specversion"] = "0.3".into()).contains("only \"1.0\" is taken"));
        assert!(without(&|event| event["time"] = "yesterday".into()).contains("RFC 3339"));
        assert!(without(&|event| drop(event.insert("Bad-Name".into(), "x".into()))).contains("lower-case"));
        assert!(without(&|event| drop(event.insert("list".into(), json!([1])))).contains("neither a text"));
        assert!(
            without(&|event| drop(event.insert("data_base64".into(), "AA==".into()))).contains("exclude each other")
        );
        assert!(without(&|event| drop(event.insert("subject".into(), "x".repeat(5000).into()))).contains("4096"));
        assert!(binary(&[("ce-x", "%4")], b"").is_err() && binary(&[("ce-x", "%FF")], b"").is_err());
        assert_eq!(read(&[("content-type", STRUCTURED)], "[".repeat(10_000).as_bytes()).unwrap_err().code(), "TS-0442");
    }
}
