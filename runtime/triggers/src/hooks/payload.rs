//! The JSON document that a request brings: as its body, or as the field `payload` of a form, which is how GitHub sends it
//! unless it is told otherwise.
//!
//! A body that holds something else is refused and never passes for "no payload": its run would start on default values.

use percent_encoding::percent_decode;
use serde_json::Value;
use trackside_codes::{Class, Code, Coded, Reason, code};
use trackside_spec::{OutsideError, read_outside};

/// The form's field that holds the document.
const FIELD: &[u8] = b"payload";

/// Why a request's payload is not read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PayloadError {
    /// What the body is said to be is nothing that holds a payload.
    #[error(
        "{code}: no payload can be read from {found}: {reason}; send JSON and set the sender's content type to \
         application/json, or write `payload: artifact` in the trigger to take every body as `trigger.body`",
        code = self.code()
    )]
    ContentType {
        /// What it is said to be, shortened.
        found: String,
        /// What was looked for.
        reason: &'static str,
    },
    /// It is said to be JSON and is none.
    #[error("{code}: {part} is no JSON document: {reason}", code = self.code())]
    Document {
        /// Which part of the request.
        part: &'static str,
        /// The parser's words.
        #[source]
        reason: Reason,
    },
}

impl Coded for PayloadError {
    fn code(&self) -> Code {
        match self {
            Self::ContentType { .. } => code!("TS-0434"),
            Self::Document { .. } => code!("TS-0710"),
        }
    }
}

/// Reads the payload. `None` for an empty body that is not said to be a document: there is nothing to lose.
///
/// - JSON types: the body, which must be a document.
/// - A form: its field `payload`, which must be there once and hold a document.
/// - No type, `application/octet-stream` and `text/plain`, which senders write who think of no type: the body, if it is a
///   document as a whole.
///
/// # Errors
/// [`PayloadError`] for everything else.
pub fn read(content_type: &str, body: &[u8]) -> Result<Option<Value>, PayloadError> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let refuse = |reason| {
        let found = match media_type.as_str() {
            "" => "a body without a content type".to_owned(),
            known => known.chars().take(60).collect(),
        };
        PayloadError::ContentType { found, reason }
    };
    match media_type.as_str() {
        "application/json" | "text/json" => document("the body", body).map(Some),
        json if json.ends_with("+json") => document("the body", body).map(Some),
        _ if body.is_empty() => Ok(None),
        "application/x-www-form-urlencoded" => {
            let mut fields = body.split(|byte| *byte == b'&').filter_map(field);
            let text = fields.next().ok_or_else(|| refuse("the form has no field `payload`"))?;
            if fields.next().is_some() {
                return Err(refuse("the form has several fields `payload`"));
            }
            document("the form's field `payload`", &text).map(Some)
        }
        "" | "application/octet-stream" | "text/plain" => {
            // Nobody said that it is JSON; if it is, what is wrong with it is told.
            read_outside(unmarked(body)).map(Some).map_err(|error| match error {
                OutsideError::Json(_) => refuse("the body is no JSON document"),
                lossy @ OutsideError::Lossy(_) => {
                    PayloadError::Document { part: "the body", reason: Reason::by(Class::BadInput, lossy) }
                }
            })
        }
        _ => Err(refuse("it is no JSON")),
    }
}

/// The error for a body that is compressed, by the word of its `Content-Encoding`.
#[must_use]
pub fn encoded(encoding: &str) -> Option<PayloadError> {
    let plain = |one: &str| one.is_empty() || one.eq_ignore_ascii_case("identity");
    if encoding.split(',').map(str::trim).all(plain) {
        return None;
    }
    let found = format!("a body with the content encoding {}", encoding.chars().take(60).collect::<String>());
    Some(PayloadError::ContentType { found, reason: "nothing is unpacked here" })
}

/// A text without the byte order mark that some senders write before it: JSON has none, and it says nothing.
#[must_use]
pub fn unmarked(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn document(part: &'static str, bytes: &[u8]) -> Result<Value, PayloadError> {
    read_outside(unmarked(bytes))
        .map_err(|error| PayloadError::Document { part, reason: Reason::by(Class::BadInput, error) })
}

/// The value of this pair, if it is the one that counts.
fn field(pair: &[u8]) -> Option<Vec<u8>> {
    let (name, value) = pair.iter().position(|byte| *byte == b'=').map_or((pair, &pair[..0]), |at| {
        let (name, value) = pair.split_at(at);
        (name, &value[1..])
    });
    (decoded(name) == FIELD).then(|| decoded(value))
}

/// Bytes, and not a text: what is no UTF-8 is for the document's parser to refuse, not to be mended in silence.
fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    fn code(content_type: &str, body: &[u8]) -> String {
        read(content_type, body).unwrap_err().code().to_string()
    }

    #[test]
    fn json_is_read_under_each_of_its_names_and_must_be_json() {
        for kind in ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/hal+json"] {
            assert_eq!(read(kind, b"{\"a\": 1}").unwrap(), Some(json!({ "a": 1 })), "{kind}");
            assert_eq!([code(kind, b"{"), code(kind, b"")], ["TS-0710", "TS-0710"], "{kind}");
        }
    }

    #[test]
    fn a_whole_number_that_would_be_rounded_is_refused_in_every_form() {
        let body = "{\"id\":18446744073709551616}";
        for (kind, body) in [
            ("application/json", body.to_owned()),
            (FORM, format!("payload={body}")),
            ("", body.to_owned()),
            ("text/plain", body.to_owned()),
        ] {
            let error = read(kind, body.as_bytes()).unwrap_err();
            assert!(
                error.to_string().contains("18446744073709551616 is a whole number beyond 64 bits"),
                "{kind}: {error}"
            );
            assert_eq!(error.code(), "TS-0710", "{kind}");
        }
        assert_eq!(read("", b"[18446744073709551615]").unwrap(), Some(json!([u64::MAX])));
    }

    #[test]
    fn a_form_is_read_as_github_fills_it() {
        let document = json!({ "ref": "refs/heads/main", "sum": "1+1=2 & more", "name": "Zoë" });
        let body = "payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C%22sum%22%3A+%221%2B1%3D2+%26+more%22%2C%22name%22%3A\
                    %22Zo%C3%AB%22%7D";
        assert_eq!(read(FORM, body.as_bytes()).unwrap(), Some(document.clone()));
        let among = format!("a=b&&c&{body}&d=%");
        assert_eq!(read("application/X-WWW-form-urlencoded; charset=UTF-8", among.as_bytes()).unwrap(), Some(document));
        assert_eq!(read(FORM, b"%70ayload=null").unwrap(), Some(Value::Null));
        for bad in
            ["payload=", "payload", "payload=%7B", "payload=hello", "payload=%22%FF%22", "payload=%22%ED%A0%80%22"]
        {
            assert_eq!(code(FORM, bad.as_bytes()), "TS-0710", "{bad}");
        }
        for bad in ["n=11", "Payload={}", "payload[]={}", "payload={}&payload={}", "{\"n\": 1}"] {
            assert_eq!(code(FORM, bad.as_bytes()), "TS-0434", "{bad}");
        }
    }

    #[test]
    fn a_body_of_no_type_is_json_as_a_whole_or_refused() {
        for kind in ["", "application/octet-stream", "text/plain; charset=utf-8"] {
            assert_eq!(read(kind, b" [1] ").unwrap(), Some(json!([1])), "{kind}");
            assert_eq!(read(kind, b"").unwrap(), None, "{kind}");
            for bad in [&b"n=11"[..], b"{} {}", b"{", b"\x89PNG", b"\xff\xfe{\0}\0"] {
                assert_eq!(code(kind, bad), "TS-0434", "{kind} {bad:?}");
            }
        }
    }

    #[test]
    fn other_types_are_refused_with_the_setting_that_takes_them() {
        for kind in ["text/csv", "multipart/form-data; boundary=x", "application/xml", "application/jsonl", "image/png"]
        {
            let error = read(kind, b"{}").unwrap_err();
            assert_eq!(error.code(), "TS-0434");
            let text = error.to_string();
            assert!(text.contains("application/json") && text.contains("payload: artifact"), "{text}");
        }
    }
}
