//! Which form a file of rows has.

use std::io::BufRead;

use crate::{ReadError, chunk};

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rows with a header; what stands between the fields.
    Csv(u8),
    /// JSON lines: an object a line.
    Lines,
    /// One JSON document.
    Document,
}

/// As its media type or its name says; `None` where neither does: see [`by_start`].
#[must_use]
pub fn by_name(name: &str, media_type: &str) -> Option<Form> {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(match (kind.as_str(), extension.as_deref()) {
        ("text/csv", _) | (_, Some("csv")) => Form::Csv(b','),
        ("text/tab-separated-values", _) | (_, Some("tsv")) => Form::Csv(b'\t'),
        ("application/jsonl" | "application/x-ndjson" | "application/x-jsonlines", _)
        | (_, Some("jsonl" | "ndjson")) => Form::Lines,
        ("application/json", _) | (_, Some("json")) => Form::Document,
        _ => return None,
    })
}

/// As its first bytes say: an object starts JSON lines, a list a document; all else is CSV with commas.
#[must_use]
pub fn by_start(start: &[u8]) -> Form {
    let start = start.strip_prefix(&crate::BYTE_ORDER_MARK).unwrap_or(start);
    match start.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => Form::Lines,
        Some(b'[') => Form::Document,
        _ => Form::Csv(b','),
    }
}

/// As the user says (`format`: `csv`, `jsonl`, or `auto` as when it is left out; `delimiter`: a character or `tab`), else as
/// the file does. Nothing of `input` is consumed.
///
/// # Errors
/// When reading fails; [`ReadError::Option`] for an option that means nothing.
pub fn chosen(
    format: Option<&str>,
    delimiter: Option<&str>,
    (name, media_type): (&str, &str),
    input: &mut impl BufRead,
) -> Result<Form, ReadError> {
    let named = by_name(name, media_type);
    let delimiter = delimiter.map(one_byte).transpose()?;
    Ok(match (format.unwrap_or("auto"), delimiter) {
        ("jsonl", _) => Form::Lines,
        ("csv", Some(delimiter)) => Form::Csv(delimiter),
        ("csv", None) => named.filter(|form| matches!(form, Form::Csv(_))).unwrap_or(Form::Csv(b',')),
        ("auto", delimiter) => {
            let known = match named {
                Some(form) => form,
                None => by_start(chunk(input)?),
            };
            match delimiter {
                Some(delimiter) if matches!(known, Form::Csv(_)) => Form::Csv(delimiter),
                _ => known,
            }
        }
        (other, _) => return Err(ReadError::Option(format!("format {other:?}: write auto, csv or jsonl"))),
    })
}

fn one_byte(text: &str) -> Result<u8, ReadError> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        _ => match *text.as_bytes() {
            [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(byte),
            _ => Err(ReadError::Option(format!("delimiter {text:?}: give one ASCII character, or `tab`"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_it_has_the_last_word() {
        let form = |format, delimiter, name| chosen(Some(format), delimiter, (name, ""), &mut &b"{\"a\":1}"[..]).ok();
        assert_eq!(chosen(None, None, ("x", ""), &mut &b"{"[..]).ok(), Some(Form::Lines));
        assert_eq!(form("auto", None, "x"), Some(Form::Lines));
        assert_eq!(form("auto", Some(";"), "x.csv"), Some(Form::Csv(b';')));
        assert_eq!(form("auto", Some(";"), "x"), Some(Form::Lines));
        assert_eq!(form("csv", None, "x.tsv"), Some(Form::Csv(b'\t')));
        assert_eq!(form("csv", Some("tab"), "x.jsonl"), Some(Form::Csv(b'\t')));
        assert_eq!(form("csv", None, "x"), Some(Form::Csv(b',')));
        assert_eq!(form("jsonl", None, "x.csv"), Some(Form::Lines));
        for bad in ["", ";;", "\"", "\n", "é"] {
            assert_eq!(form("csv", Some(bad), "x"), None, "{bad:?}");
        }
        assert_eq!(form("xml", None, "x"), None);
    }

    #[test]
    fn the_type_goes_before_the_name_and_both_before_the_bytes() {
        for (name, media_type, form) in [
            ("a.CSV", "", Some(Form::Csv(b','))),
            ("a.jsonl", "text/csv; charset=utf-8", Some(Form::Csv(b','))),
            ("a.tsv", "text/plain", Some(Form::Csv(b'\t'))),
            ("a.ndjson", "application/octet-stream", Some(Form::Lines)),
            ("a", "application/x-jsonlines", Some(Form::Lines)),
            ("a.json", "application/octet-stream", Some(Form::Document)),
            ("a.txt", "text/plain", None),
            ("", "", None),
        ] {
            assert_eq!(by_name(name, media_type), form, "{name} {media_type}");
        }
        assert_eq!(by_start(b"\xef\xbb\xbf {\"a\":1}"), Form::Lines);
        assert_eq!(by_start(b"\n[1]"), Form::Document);
        assert_eq!((by_start(b"a,b"), by_start(b"")), (Form::Csv(b','), Form::Csv(b',')));
    }
}
