//! What a registry asks for before it answers: `WWW-Authenticate` and the tokens behind it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::access::Access;

/// Longest challenge that is looked at.
const LONGEST: usize = 4 << 10;
/// Longest token.
const TOKEN: usize = 32 << 10;

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token that another server gives.
    Bearer {
        /// That server's URL.
        realm: String,
        /// What the token is for.
        service: Option<String>,
        /// What it must permit.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the header. With several challenges, the bearer's goes first: it is the narrower permission.
    pub(super) fn parse(header: &str) -> Option<Self> {
        if header.len() > LONGEST {
            return None;
        }
        let mut found = None;
        let mut rest = header.trim();
        while !rest.is_empty() {
            let (scheme, after) = rest.split_once(' ').unwrap_or((rest, ""));
            let (parameters, next) = parameters(after);
            match scheme.to_ascii_lowercase().as_str() {
                "bearer" => {
                    let get =
                        |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
                    if let Some(realm) = get("realm") {
                        return Some(Self::Bearer { realm, service: get("service"), scope: get("scope") });
                    }
                }
                "basic" => found = Some(Self::Basic),
                _ => {}
            }
            rest = next.trim_start_matches([',', ' ']);
        }
        found
    }
}

/// `key=value` and `key="value"` with commas between them, and what comes after.
fn parameters(mut text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    loop {
        text = text.trim_start_matches([' ', ',']);
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).unwrap_or(text.len());
        let (key, after) = text.split_at(end);
        let Some(value) = after.trim_start().strip_prefix('=').filter(|_| !key.is_empty()) else {
            return (found, text);
        };
        let value = value.trim_start();
        let (value, rest) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let end = value.find([',', ' ']).unwrap_or(value.len());
                (value[..end].to_owned(), &value[end..])
            }
        };
        found.push((key.to_ascii_lowercase(), value));
        text = rest;
    }
}

/// The text up to the closing quotation mark, and what comes after it.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return (value, &text[index + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// The header for user and password.
pub(super) fn basic(access: &Access) -> Option<String> {
    let (user, password) = access.user.as_ref()?;
    Some(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

/// A token server's answer.
#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

/// The header for the token in a token server's answer.
pub(super) fn bearer(answer: &[u8]) -> Option<String> {
    let answer: Token = serde_json::from_slice(answer).ok()?;
    let token = answer.token.or(answer.access_token)?;
    let fits = (1..=TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| format!("Bearer {token}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_real_registries_are_read() {
        let header = "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",\
                      scope=\"repository:library/x:pull,push\"";
        let expected = Challenge::Bearer {
            realm: "https://auth.docker.io/token".to_owned(),
            service: Some("registry.docker.io".to_owned()),
            scope: Some("repository:library/x:pull,push".to_owned()),
        };
        assert_eq!(Challenge::parse(header), Some(expected.clone()));
        assert_eq!(Challenge::parse("Basic realm=\"Registry Realm\""), Some(Challenge::Basic));
        assert_eq!(Challenge::parse(&format!("Basic realm=\"x\", {header}")), Some(expected));
        assert_eq!(Challenge::parse("bearer realm=https://a/b"), Challenge::parse("Bearer realm=\"https://a/b\""));
    }

    #[test]
    fn rubbish_is_no_challenge_and_no_endless_loop() {
        for header in ["", ",,,", "Bearer", "Bearer realm", "Negotiate abc==", "=", "Bearer =\"", "\" \" \""] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
        // What is cut off in the middle is taken as far as it goes.
        let cut = Challenge::Bearer { realm: "a".to_owned(), service: None, scope: None };
        assert_eq!(Challenge::parse("Bearer realm=\"a\\"), Some(cut));
        assert_eq!(Challenge::parse("Bearer service=\"x\""), None);
        assert_eq!(Challenge::parse(&"Basic ".repeat(2000)), None);
    }

    #[test]
    fn tokens_are_checked_before_they_become_a_header() {
        assert_eq!(bearer(br#"{"token":"abc"}"#).as_deref(), Some("Bearer abc"));
        assert_eq!(bearer(br#"{"access_token":"abc","expires_in":300}"#).as_deref(), Some("Bearer abc"));
        for bad in [&b"{}"[..], b"[]", b"x", br#"{"token":""}"#, b"{\"token\":\"a\\r\\nHost: b\"}"] {
            assert_eq!(bearer(bad), None);
        }
    }
}
