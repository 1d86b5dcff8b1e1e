//! Which form a file of rows has.

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

#[cfg(test)]
mod tests {
    use super::*;

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
