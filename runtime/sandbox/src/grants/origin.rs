//! Which URLs a step may call: `scheme://host[:port][/path-prefix]`, as in `allow: { http: [...] }`.

use hyper::Uri;

/// Longest URL.
const LENGTH: usize = 8 * 1024;

/// A URL after every check that needs no grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// Lower case, without a trailing dot, without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, never empty.
    pub(crate) path: String,
}

impl Target {
    /// Reads a URL strictly. The error is a sentence.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let shown = || crate::recorder::one_line(&url.chars().take(200).collect::<String>());
        let bad = |reason: &str| format!("`{}` is not a URL that a step may call: {reason}", shown());
        if url.len() > LENGTH {
            return Err(format!("the URL has {} bytes; the limit is {LENGTH}", url.len()));
        }
        if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return Err(bad("it has spaces, control characters or backslashes"));
        }
        let uri: Uri = url.parse().map_err(|_| bad("it does not parse; write non-ASCII hosts in punycode"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("the scheme must be http or https")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it must not carry a user name"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        // Names and addresses only; `%` would be a zone or an escape that somebody else might read differently.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
            return Err(bad("its host is neither a name nor an address"));
        }
        let port = match (authority.port_u16(), authority.as_str().rsplit_once(':')) {
            (Some(0), _) => return Err(bad("port 0 is no port")),
            (Some(port), _) => port,
            // `host:` and `host:99999` have a colon after the host but no port.
            (None, Some((_, after))) if !after.ends_with(']') => {
                return Err(bad("its port is no number from 1 to 65535"));
            }
            (None, _) if tls => 443,
            (None, _) => 80,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { tls, host, port, path })
    }

    /// `scheme://host[:port]`, as a grant would be written.
    pub(crate) fn origin(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }

    /// The `Host` header: the port only when it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let own = if self.tls { 443 } else { 80 };
        if self.port == own { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether one of the grants covers the URL. A grant that does not parse covers nothing.
    pub(crate) fn is_granted(&self, grants: &[String]) -> bool {
        grants.iter().filter_map(|grant| Self::parse(grant).ok()).any(|grant| {
            grant.tls == self.tls && grant.host == self.host && grant.port == self.port && self.is_below(&grant.path)
        })
    }

    fn is_below(&self, prefix: &str) -> bool {
        let prefix = prefix.split('?').next().unwrap_or("/").trim_end_matches('/');
        if prefix.is_empty() {
            return true;
        }
        let path = self.path.split('?').next().unwrap_or("/");
        // A server may fold dot segments after the check, so a path that has some lies below nothing.
        let folded = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
        if folded.split('/').any(|segment| matches!(segment.split(';').next(), Some("." | ".."))) {
            return false;
        }
        path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_its_origin_and_nothing_that_looks_like_it() {
        let grants = vec!["https://hooks.example.org".to_owned()];
        for url in [
            "https://hooks.example.org",
            "https://hooks.example.org/",
            "https://HOOKS.example.org/pump?x=1",
            "https://hooks.example.org./a",
            "https://hooks.example.org:443/a",
        ] {
            assert!(Target::parse(url).unwrap().is_granted(&grants), "{url}");
        }
        for url in [
            "http://hooks.example.org/",
            "https://hooks.example.org:8443/",
            "https://example.org/",
            "https://hooks.example.org.evil.net/",
            "https://evilhooks.example.org/",
            "https://127.0.0.1/",
        ] {
            assert!(!Target::parse(url).unwrap().is_granted(&grants), "{url}");
        }
    }

    #[test]
    fn a_path_prefix_ends_at_a_segment_and_cannot_be_climbed_out_of() {
        let grants = vec!["https://a.example/v1/".to_owned()];
        for path in ["/v1", "/v1/", "/v1/x", "/v1?q=/../..", "/v1/x?y"] {
            assert!(Target::parse(&format!("https://a.example{path}")).unwrap().is_granted(&grants), "{path}");
        }
        for path in ["/", "/v10", "/v1/../v2", "/v1/%2e%2E/v2", "/v1/..%2fv2", "/v1/..;/v2", "/V1", "/v1/."] {
            assert!(!Target::parse(&format!("https://a.example{path}")).unwrap().is_granted(&grants), "{path}");
        }
    }

    #[test]
    fn urls_that_two_readers_could_read_differently_are_refused() {
        for url in [
            "",
            "hooks.example.org",
            "/path",
            "ftp://a.example/",
            "https://user@a.example/",
            "https://a.example@evil.example/",
            "https://a.example:0/",
            "https://a.example:99999/",
            "https://a.example:/",
            "https://a.example\\@evil.example/",
            "https://a.example/ b",
            "https://a.example/\r\nx: y",
            "https://[fe80::1%25eth0]/",
            "https://exämple.org/",
            "https:///x",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_authority_names_the_port_only_when_it_must() {
        for (url, authority) in [
            ("https://a.example/", "a.example"),
            ("https://a.example:8443/", "a.example:8443"),
            ("http://[::1]/", "[::1]"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(Target::parse(url).unwrap().authority(), authority);
        }
    }
}
