//! Origins in allow lists: `scheme://host[:port][/path-prefix]`.

/// A parsed origin. Host in lower case, path without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    https: bool,
    host: String,
    port: u16,
    path: String,
}

impl Origin {
    /// Parses `text`; the error says what is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => return Err("it must begin with https:// or http://".to_owned()),
        };
        if text.len() > 2048 || rest.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err("it must be plain ASCII without spaces, at most 2048 characters".to_owned());
        }
        if let Some(mark) = rest.chars().find(|c| matches!(c, '?' | '#' | '@' | '*' | '$' | '\\' | '%')) {
            return Err(format!("`{mark}` has no place in an origin; it is scheme://host[:port][/path-prefix]"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = Self::authority(authority, https)?;
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err("its path must not contain `.` or `..`".to_owned());
        }
        Ok(Self { https, host, port, path: path.trim_end_matches('/').to_owned() })
    }

    fn authority(text: &str, https: bool) -> Result<(String, u16), String> {
        let default = if https { 443 } else { 80 };
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, after) = rest.split_once(']').ok_or("the bracket of the address is not closed")?;
                address.parse::<std::net::Ipv6Addr>().map_err(|_| format!("`{address}` is no IPv6 address"))?;
                let port = match (after.strip_prefix(':'), after) {
                    (Some(port), _) => Some(port),
                    (None, "") => None,
                    (None, _) => return Err("only a port may follow the address".to_owned()),
                };
                (format!("[{address}]"), port)
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (text.to_owned(), None),
            },
        };
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if host.is_empty() || (!host.starts_with('[') && !host.chars().all(name)) {
            return Err("it has no host".to_owned());
        }
        let port = match port {
            None => default,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(format!("`{port}` is no port")),
            },
        };
        Ok((host.to_ascii_lowercase(), port))
    }

    /// Whether everything that `other` names lies below this origin.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let path = other.path.strip_prefix(self.path.as_str());
        self.https == other.https
            && self.host == other.host
            && self.port == other.port
            && path.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_covers_what_lies_below_it() {
        let origin = |text| Origin::parse(text).unwrap();
        assert!(origin("https://a.example").covers(&origin("https://A.example:443/x/y")));
        assert!(origin("https://a.example/x").covers(&origin("https://a.example/x/")));
        assert!(origin("http://[::1]:8080").covers(&origin("http://[::1]:8080/v1")));
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
            "https://a:99999",
            "https://[::1",
            "https://[x]",
            "https://a/../b",
            "https://:80",
            "https://é",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }
}
