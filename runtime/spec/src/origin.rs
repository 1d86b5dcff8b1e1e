//! Origins in allow lists: `scheme://host[:port][/path-prefix]`.

use std::{fmt, net::Ipv4Addr};
use trackside_codes::Reason;

/// Longest text of an origin.
const LENGTH: usize = 2048;

/// Where requests may go: scheme, host and port exactly, and the path below a prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    https: bool,
    /// Lower case, without a trailing dot, without the brackets of an IPv6 address.
    host: String,
    port: u16,
    /// Empty, or beginning with a slash and ending without one.
    path: String,
}

impl Origin {
    /// Parses `text`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err("it must begin with https:// or http://".into()),
        };
        if text.len() > LENGTH || rest.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err(format!("it must be plain ASCII without spaces, at most {LENGTH} characters").into());
        }
        if let Some(mark) = rest.chars().find(|c| matches!(c, '?' | '#' | '@' | '*' | '$' | '\\' | '%')) {
            return Err(format!("`{mark}` has no place in an origin; it is scheme://host[:port][/path-prefix]").into());
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Ok(Self { https, host, port, path: prefix(path)? })
    }

    /// The same origin with the path prefix `path`, which replaces the one that it has.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the path.
    pub fn with_path(mut self, path: &str) -> Result<Self, Reason> {
        if !path.starts_with('/') {
            return Err("a path prefix begins with `/`".into());
        }
        if path.len() > LENGTH || path.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '\\' | '%')) {
            return Err("a path prefix is plain ASCII without `?`, `#`, `%` and `\\`".into());
        }
        self.path = prefix(path)?;
        Ok(self)
    }

    /// Whether requests go through TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host in lower case: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether everything that `other` names lies below this origin.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.is_same_server(other.https, &other.host, other.port) && self.covers_path(&other.path)
    }

    /// Whether scheme, host and port are these.
    #[must_use]
    pub fn is_same_server(&self, https: bool, host: &str, port: u16) -> bool {
        self.https == https && self.host == host && self.port == port
    }

    /// Whether a request's path lies below the prefix. `path` is what stands before `?`.
    ///
    /// A server may fold dot segments after the check, so with a prefix a path that has some, in whatever dress, lies
    /// below nothing.
    #[must_use]
    pub fn covers_path(&self, path: &str) -> bool {
        if self.path.is_empty() {
            return true;
        }
        let folded = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
        if folded.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | ".."))) {
            return false;
        }
        path.strip_prefix(self.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, own) = if self.https { ("https", 443) } else { ("http", 80) };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}", self.host)?;
        if self.port != own {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

fn prefix(path: &str) -> Result<String, Reason> {
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("its path must not contain `.` or `..`".into());
    }
    Ok(path.trim_end_matches('/').to_owned())
}

/// Reads `host` or `host:port`; the host comes out in lower case, without brackets and without a dot at its end.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn host_and_port(text: &str) -> Result<(String, Option<u16>), Reason> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or("the bracket of the address is not closed")?;
            let address =
                address.parse::<std::net::Ipv6Addr>().map_err(|_| format!("`{address}` is no IPv6 address"))?;
            let port = match (after.strip_prefix(':'), after) {
                (Some(port), _) => Some(port),
                (None, "") => None,
                (None, _) => return Err("only a port may follow the address".into()),
            };
            (address.to_string(), port)
        }
        None => {
            let (host, port) = match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            };
            let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            if let Some(problem) = name_problem(&host) {
                return Err(problem.into());
            }
            (host, port)
        }
    };
    let port = match port {
        None => None,
        Some(port) => match port.parse() {
            Ok(number) if number > 0 && !port.starts_with('+') => Some(number),
            _ => return Err(format!("`{port}` is no port").into()),
        },
    };
    Ok((host, port))
}

/// Why `host` is neither a name nor an IPv4 address in its one plain form.
///
/// `2130706433`, `0x7f.1` and `0177.0.0.1` all are 127.0.0.1 to some resolvers and names to others: what two readers
/// could read differently is refused.
fn name_problem(host: &str) -> Option<String> {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() || host.len() > 253 || !host.chars().all(inside) {
        return Some("it has no host".to_owned());
    }
    if host.split('.').any(|label| label.is_empty() || label.len() > 63) {
        return Some(format!("`{host}` is no host name: a part of it is empty or too long"));
    }
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex = last.strip_prefix("0x").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_hexdigit()));
    let number = last.chars().all(|c| c.is_ascii_digit()) || hex;
    if number && host.parse::<Ipv4Addr>().is_err() {
        return Some(format!("`{host}` is no address: write four decimal numbers, as in 192.168.0.10"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_covers_what_lies_below_it() {
        let origin = |text| Origin::parse(text).unwrap();
        assert!(origin("https://a.example").covers(&origin("https://A.example:443/x/y")));
        assert!(origin("https://a.example.").covers(&origin("https://a.example")));
        assert!(origin("https://a.example/x").covers(&origin("https://a.example/x/")));
        assert!(origin("http://[::1]:8080").covers(&origin("http://[0:0::1]:8080/v1")));
        for (wide, narrow) in [
            ("https://a.example/x", "https://a.example/xy"),
            ("https://a.example", "http://a.example"),
            ("https://a.example", "https://a.example:444"),
            ("https://a.example", "https://b.a.example"),
        ] {
            assert!(!origin(wide).covers(&origin(narrow)), "{wide} {narrow}");
        }
    }

    #[test]
    fn a_path_prefix_ends_at_a_segment_and_cannot_be_climbed_out_of() {
        let origin = Origin::parse("https://a.example").unwrap().with_path("/v1/").unwrap();
        for path in ["/v1", "/v1/", "/v1/x", "/v1//x", "/v1/x.y"] {
            assert!(origin.covers_path(path), "{path}");
        }
        for path in [
            "/",
            "//v1/x",
            "/v10",
            "/v1/../v2",
            "/v1//../../v2",
            "/v1/%2e%2E/v2",
            "/v1/.%2e/v2",
            "/v1/..%2fv2",
            "/v1/..%5cv2",
            "/v1/..;/v2",
            "/V1",
            "/v1/.",
            "/%761/x",
            "*",
        ] {
            assert!(!origin.covers_path(path), "{path}");
        }
        for bad in ["v1", "/a/../b", "/a?b", "/%2e", "/a\\b", "/é", "/a b"] {
            assert!(Origin::parse("https://a.example").unwrap().with_path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn text_that_is_no_origin_is_refused() {
        for bad in [
            "",
            "a.example",
            "ftp://a",
            "https://",
            "https://a b",
            "https://u@a",
            "https://*.a",
            "https://a?x",
            "https://a:0",
            "https://a:+1",
            "https://a:99999",
            "https://[::1",
            "https://[x]",
            "https://a/../b",
            "https://:80",
            "https://é",
            "https://a..b",
            "https://.",
            "http://2130706433",
            "http://0x7f000001",
            "http://0x7f.1",
            "http://127.1",
            "http://0177.0.0.1",
            "http://127.0.0.1.5",
            "http://1.2.3.256",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_printed_as_it_would_be_written() {
        for text in ["https://a.example", "http://a.example:8080/v1", "http://[::1]:8080", "https://127.0.0.1"] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Origin::parse("https://A.Example.:443/x/").unwrap().to_string(), "https://a.example/x");
    }
}
