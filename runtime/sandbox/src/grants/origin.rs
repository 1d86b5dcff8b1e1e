//! The URL of a request, read strictly.

use hyper::Uri;
use trackside_spec::{Origin, host_and_port};

/// Longest URL.
const LENGTH: usize = 8 * 1024;

/// A URL after every check that needs no grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Without a path.
    origin: Origin,
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
        let scheme = match uri.scheme_str() {
            Some(scheme @ ("https" | "http")) => scheme,
            _ => return Err(bad("the scheme must be http or https")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?.as_str();
        if authority.contains('@') {
            return Err(bad("it must not carry a user name"));
        }
        // The same reader as for grants, so that the two cannot understand a host differently.
        host_and_port(authority).map_err(|reason| bad(&reason))?;
        let origin = Origin::parse(&format!("{scheme}://{authority}")).map_err(|reason| bad(&reason))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { origin, path })
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn tls(&self) -> bool {
        self.origin.is_https()
    }

    pub(crate) fn host(&self) -> &str {
        self.origin.host()
    }

    pub(crate) fn port(&self) -> u16 {
        self.origin.port()
    }

    /// The path without the query.
    pub(crate) fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or("/")
    }

    /// The `Host` header: the port only when it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        let text = self.origin.to_string();
        text.split_once("://").map_or(text.clone(), |(_, authority)| authority.to_owned())
    }

    /// Whether the request goes to the server of `origin`, wherever there.
    pub(crate) fn is_at(&self, origin: &Origin) -> bool {
        origin.is_same_server(self.tls(), self.host(), self.port())
    }

    /// Whether the request goes to `origin` or below its path.
    pub(crate) fn is_below(&self, origin: &Origin) -> bool {
        self.is_at(origin) && origin.covers_path(self.path_only())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(grant: &str, url: &str) -> bool {
        Target::parse(url).unwrap().is_below(&Origin::parse(grant).unwrap())
    }

    #[test]
    fn a_grant_covers_its_origin_and_nothing_that_looks_like_it() {
        for url in [
            "https://hooks.example.org",
            "https://hooks.example.org/",
            "https://HOOKS.example.org/pump?x=1",
            "https://hooks.example.org./a",
            "https://hooks.example.org:443/a",
        ] {
            assert!(below("https://hooks.example.org", url), "{url}");
        }
        for url in [
            "http://hooks.example.org/",
            "https://hooks.example.org:8443/",
            "https://example.org/",
            "https://hooks.example.org.evil.net/",
            "https://evilhooks.example.org/",
            // Cyrillic small letter о in punycode.
            "https://xn--hoks-55d.example.org/",
            "https://127.0.0.1/",
        ] {
            assert!(!below("https://hooks.example.org", url), "{url}");
        }
    }

    #[test]
    fn a_query_says_nothing_about_the_path() {
        for path in ["/v1?q=/../..", "/v1/x?y", "/v1/?../"] {
            assert!(below("https://a.example/v1/", &format!("https://a.example{path}")), "{path}");
        }
        for path in ["/?/v1/", "/v10?/v1", "/v1/../v2?x", "/v1/%2e%2E/v2"] {
            assert!(!below("https://a.example/v1/", &format!("https://a.example{path}")), "{path}");
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
            "https://a.example%40evil.example/",
            "https://a.example:0/",
            "https://a.example:99999/",
            "https://a.example:/",
            "https://a.example\\@evil.example/",
            "https://a.example/ b",
            "https://a.example/\r\nx: y",
            "https://[fe80::1%25eth0]/",
            "https://exämple.org/",
            "https:///x",
            "https://a..example/",
            // 127.0.0.1 to some readers and a name to others.
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0.0.1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://127.1/",
            "http://127.0.1/",
            "http://127.0.0.01/",
            "http://[::ffff:0x7f.1]/",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn the_authority_names_the_port_only_when_it_must() {
        for (url, authority) in [
            ("https://a.example/", "a.example"),
            ("https://a.example:443/", "a.example"),
            ("https://a.example:8443/", "a.example:8443"),
            ("http://[::1]/", "[::1]"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(Target::parse(url).unwrap().authority(), authority);
        }
    }
}
