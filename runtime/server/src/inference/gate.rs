//! Who may ask: everybody, or who brings a token.

use hyper::{HeaderMap, header::AUTHORIZATION};
use sha2::{Digest, Sha256};

use super::failure::Failure;

/// The digests of the tokens that open; none for everybody.
pub(crate) struct Gate {
    tokens: Vec<[u8; 32]>,
}

impl Gate {
    pub(crate) fn new<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        Self { tokens: tokens.into_iter().map(digest).collect() }
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// TS-0752 without a token that is known.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Failure> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        // Digests are compared, so that the time it takes says nothing of a token.
        let given = headers.get(AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?)).map(digest);
        match given {
            Some(given) if self.tokens.contains(&given) => Ok(()),
            _ => Err(Failure::unauthenticated()),
        }
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_token_opens_and_nothing_else_does() {
        let gate = Gate::new(["one", "two"]);
        let check = |value: &'static str| {
            gate.check(&HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))])).is_ok()
        };
        assert!(check("Bearer one") && check("bearer two"));
        assert!(
            !check("Bearer three")
                && !check("Basic one")
                && !check("one")
                && !check("Bearer ")
                && !check("Bearer oneone")
        );
        assert_eq!(gate.check(&HeaderMap::new()).unwrap_err().status(), 401);
        Gate::new([]).check(&HeaderMap::new()).unwrap();
    }
}
