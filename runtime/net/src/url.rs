//! A URL as an origin and a path, read strictly: what two readers could understand differently is refused.

use std::fmt;

use hyper::Uri;
use trackside_spec::{Origin, host_and_port};

/// Longest URL.
const LENGTH: usize = 8 * 1024;

/// A URL that can be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Without a path.
    origin: Origin,
    /// Path and query, beginning with a slash.
    pub(crate) path: String,
}

/// Why a text is no URL that can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Too long.
    #[error("the URL has {bytes} bytes; the limit is {LENGTH}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Something is wrong with it.
    #[error("this is no URL that can be called: {reason}")]
    Malformed {
        /// What, without the text itself: it may hold a permission.
        reason: String,
    },
}

impl UrlError {
    pub(crate) fn malformed(reason: impl ToString) -> Self {
        Self::Malformed { reason: reason.to_string() }
    }
}

impl Url {
    /// Reads an absolute URL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let bad = |reason: &str| UrlError::malformed(reason);
        if url.len() > LENGTH {
            return Err(UrlError::TooLong { bytes: url.len() });
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
        // Names and passwords in a URL are a trap: nobody sees where they go.
        if authority.contains('@') {
            return Err(bad("it must not carry a user name"));
        }
        // The same reader as for grants, so that the two cannot understand a host differently.
        host_and_port(authority).map_err(UrlError::malformed)?;
        let origin = Origin::parse(&format!("{scheme}://{authority}")).map_err(UrlError::malformed)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { origin, path })
    }

    /// `path` on the same server; with its query, beginning with a slash.
    #[must_use]
    pub fn at(&self, path: impl Into<String>) -> Self {
        Self { origin: self.origin.clone(), path: path.into() }
    }

    /// What a `Location` header given by `self` points to.
    ///
    /// # Errors
    /// What is wrong with it. Relative to a path is refused: no server of ours says that, and it hides where it leads.
    pub fn join(&self, location: &str) -> Result<Self, UrlError> {
        if location.starts_with('/') && !location.starts_with("//") {
            let path = location.split('#').next().unwrap_or_default();
            if location.len() > LENGTH {
                return Err(UrlError::TooLong { bytes: location.len() });
            }
            path.parse::<Uri>().map_err(|_| UrlError::malformed("its path does not parse"))?;
            return Ok(self.at(path));
        }
        Self::parse(location)
    }

    /// The same with `key=value` added to its query, escaped.
    #[must_use]
    pub fn with_query(&self, key: &str, value: &str) -> Self {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        self.at(format!("{}{separator}{key}={}", self.path, escape(value)))
    }

    /// All of it, query included.
    #[must_use]
    pub fn whole(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether requests go through TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.origin.is_https()
    }

    /// The host in lower case: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.origin.host()
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.origin.port()
    }

    /// The path without the query.
    #[must_use]
    pub fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or("/")
    }

    /// The `Host` header: the port only when it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> String {
        let text = self.origin.to_string();
        text.split_once("://").map_or(text.clone(), |(_, authority)| authority.to_owned())
    }

    /// Whether the request goes to the server of `origin`, wherever there.
    #[must_use]
    pub fn is_at(&self, origin: &Origin) -> bool {
        origin.is_same_server(self.is_https(), self.host(), self.port())
    }

    /// Whether the request goes to `origin` or below its path.
    #[must_use]
    pub fn is_below(&self, origin: &Origin) -> bool {
        self.is_at(origin) && origin.covers_path(self.path_only())
    }
}

/// Without the query, which may hold a signed permission.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path_only())
    }
}

/// Percent-encodes everything but what is never special.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(grant: &str, url: &str) -> bool {
        Url::parse(url).unwrap().is_below(&Origin::parse(grant).unwrap())
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
            assert!(Url::parse(url).is_err(), "{url}");
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
            assert_eq!(Url::parse(url).unwrap().authority(), authority);
        }
    }

    #[test]
    fn locations_are_relative_or_absolute_and_never_hide_a_user() {
        let here = Url::parse("https://r.example/v2/x").unwrap();
        assert_eq!(here.join("/a?b=c#d").unwrap(), here.at("/a?b=c"));
        assert_eq!(here.join("https://cdn.example:444/z").unwrap().authority(), "cdn.example:444");
        for bad in
            ["", "//evil.example/x", "x", "ftp://a/b", "https://user:pw@a/b", "https:///b", "https://a:/b", "/a b"]
        {
            assert!(here.join(bad).is_err(), "{bad:?}");
        }
        assert!(here.join(&format!("/{}", "x".repeat(10_000))).is_err());
    }

    #[test]
    fn queries_are_escaped_and_not_shown() {
        let url = Url::parse("https://a.example/token").unwrap().with_query("scope", "repository:a/b:pull,push");
        let url = url.with_query("service", "x y");
        assert_eq!(url.path, "/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&service=x%20y");
        assert_eq!(url.to_string(), "https://a.example/token");
        assert!(!Url::parse("https://a.example:x/?sig=secret").unwrap_err().to_string().contains("secret"));
    }
}
