//! Headers that a guest may send, and those that it gets to see.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use trackside_codes::Reason;
use trackside_net::HEADERS;

/// Headers that speak of the connection, which is the host's. A guest's are left out; a server's are not shown.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers that the host derives itself, so that they cannot contradict what is sent.
const DERIVED: [&str; 3] = ["host", "content-length", "expect"];

/// Turns a guest's list into headers.
pub(crate) fn outgoing(list: &[(String, String)], limit: usize) -> Result<HeaderMap, Reason> {
    if list.len() > HEADERS {
        return Err(format!("a request has at most {HEADERS} headers, not {}", list.len()).into());
    }
    let bytes = list.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if bytes > limit {
        return Err(format!("the headers have {bytes} bytes; the limit http_headers is {limit}").into());
    }
    let mut map = HeaderMap::new();
    for (name, value) in list {
        let shown = || crate::recorder::one_line(&name.chars().take(60).collect::<String>());
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{}` is no header name", shown()))?;
        if HOP_BY_HOP.contains(&name.as_str()) || DERIVED.contains(&name.as_str()) {
            continue;
        }
        let value = HeaderValue::from_str(value)
            .map_err(|_| format!("the value of header `{}` has characters that a header cannot carry", shown()))?;
        map.append(name, value);
    }
    Ok(map)
}

/// Takes the headers of the connection out of a response.
pub(crate) fn strip(map: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        map.remove(name);
    }
}

/// The headers of a response as a guest sees them.
pub(crate) fn incoming(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn headers_of_the_connection_never_leave_the_guest() {
        let map = outgoing(
            &list(&[
                ("Host", "evil.example"),
                ("Content-Length", "3"),
                ("Transfer-Encoding", "chunked"),
                ("Connection", "x-a"),
                ("X-A", "1"),
            ]),
            999,
        )
        .unwrap();
        assert_eq!(map.len(), 1);
        assert_eq!(map["x-a"], "1");
    }

    #[test]
    fn a_value_cannot_begin_another_header() {
        for (name, value) in [("x", "a\r\nHost: b"), ("x\r\ny", "a"), ("", "a"), ("x y", "a"), ("x", "\0")] {
            assert!(outgoing(&list(&[(name, value)]), 999).is_err(), "{name:?} {value:?}");
        }
    }

    #[test]
    fn a_flood_of_headers_is_refused() {
        assert!(outgoing(&vec![("x".to_owned(), String::new()); HEADERS + 1], 999).is_err());
        assert!(outgoing(&[("x".to_owned(), "y".repeat(999))], 999).is_err());
    }
}
