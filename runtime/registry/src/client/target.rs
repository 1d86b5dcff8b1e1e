//! Where a request goes: an origin and a path, taken apart from URLs that registries give.

use hyper::Uri;

/// Longest URL that a registry may give.
const LONGEST: usize = 8 << 10;

/// Scheme, host, port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

/// An origin and what is asked for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) origin: Origin,
    /// Path and query, beginning with a slash.
    pub(super) path: String,
}

impl Origin {
    /// The registry `host`, as a reference names it.
    pub(super) fn of_registry(host: &str, plain_http: bool) -> Option<Self> {
        // What Docker Hub is called and where it listens are two names.
        let listens = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let scheme = if plain_http { "http" } else { "https" };
        Some(Target::parse(&format!("{scheme}://{listens}/"))?.origin)
    }

    /// Host and port as the `Host` header has them, and as `[registries]` names them.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.usual_port() { host } else { format!("{host}:{}", self.port) }
    }

    fn usual_port(&self) -> u16 {
        if self.tls { 443 } else { 80 }
    }

    pub(super) fn at(&self, path: impl Into<String>) -> Target {
        Target { origin: self.clone(), path: path.into() }
    }
}

impl Target {
    /// An absolute URL.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let uri = (url.len() <= LONGEST).then(|| url.parse::<Uri>().ok()).flatten()?;
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        // Names and passwords in a URL are a trap: nobody sees where they go.
        if authority.as_str().contains('@') || uri.host()?.is_empty() {
            return None;
        }
        let host = uri.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
        let port = match uri.port() {
            Some(port) => port.as_u16(),
            // `host:` has neither a port nor none.
            None if authority.as_str().ends_with(':') => return None,
            None if tls => 443,
            None => 80,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Self { origin: Origin { tls, host, port }, path })
    }

    /// What a `Location` header given by `self` points to.
    pub(super) fn join(&self, location: &str) -> Option<Self> {
        if location.starts_with('/') && !location.starts_with("//") {
            let path = location.split('#').next().unwrap_or_default();
            let fits = location.len() <= LONGEST && path.parse::<Uri>().is_ok();
            return fits.then(|| self.origin.at(path));
        }
        Self::parse(location)
    }

    /// For messages: without the query, which may hold a signed permission.
    pub(super) fn shown(&self) -> String {
        let scheme = if self.origin.tls { "https" } else { "http" };
        let path = self.path.split('?').next().unwrap_or_default();
        crate::error::one_line(&format!("{scheme}://{}{path}", self.origin.authority()))
    }

    /// The same with `key=value` added to its query.
    pub(super) fn with_query(&self, key: &str, value: &str) -> Self {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        Self { origin: self.origin.clone(), path: format!("{}{separator}{key}={}", self.path, escape(value)) }
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

    #[test]
    fn registries_are_found_where_they_listen() {
        let at = |host, plain| Origin::of_registry(host, plain).unwrap();
        assert_eq!(at("ghcr.io", false), Origin { tls: true, host: "ghcr.io".to_owned(), port: 443 });
        assert_eq!(at("127.0.0.1:5000", true), Origin { tls: false, host: "127.0.0.1".to_owned(), port: 5000 });
        assert_eq!(at("[::1]:5000", true), Origin { tls: false, host: "::1".to_owned(), port: 5000 });
        assert_eq!(at("[::1]:5000", true).authority(), "[::1]:5000");
        assert_eq!(at("docker.io", false).host, "registry-1.docker.io");
    }

    #[test]
    fn locations_are_relative_or_absolute_and_never_hide_a_user() {
        let here = Target::parse("https://r.example/v2/x").unwrap();
        assert_eq!(here.join("/a?b=c#d").unwrap(), here.origin.at("/a?b=c"));
        assert_eq!(here.join("https://cdn.example:444/z").unwrap().origin.authority(), "cdn.example:444");
        for bad in
            ["", "//evil.example/x", "x", "ftp://a/b", "https://user:pw@a/b", "https:///b", "https://a:/b", "/a b"]
        {
            assert_eq!(here.join(bad), None, "{bad:?}");
        }
        assert_eq!(here.join(&format!("/{}", "x".repeat(10_000))), None);
    }

    #[test]
    fn queries_are_escaped_and_not_shown() {
        let target = Target::parse("https://a.example/token").unwrap().with_query("scope", "repository:a/b:pull,push");
        let target = target.with_query("service", "x y");
        assert_eq!(target.path, "/token?scope=repository%3Aa%2Fb%3Apull%2Cpush&service=x%20y");
        assert_eq!(target.shown(), "https://a.example/token");
    }
}
