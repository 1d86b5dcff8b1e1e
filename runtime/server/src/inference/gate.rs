//! Who may ask: everybody, or who brings a token.

use std::sync::Arc;

use hyper::{HeaderMap, header::AUTHORIZATION};

use super::failure::Failure;

/// Whoever knows the tokens that open. It is asked with each request, from several threads, and may not wait for the disk.
pub trait Tokens: Send + Sync + 'static {
    /// Whether this token is one of them. The time that it takes should say nothing of those.
    fn opens(&self, token: &str) -> bool;
}

/// Lets in who may.
pub(crate) struct Gate {
    /// None for everybody.
    pub(crate) tokens: Option<Arc<dyn Tokens>>,
}

impl Gate {
    /// Lets a request in.
    ///
    /// # Errors
    /// TS-0752 without a token that is known.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Failure> {
        let Some(tokens) = &self.tokens else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?));
        match given {
            Some(given) if tokens.opens(given) => Ok(()),
            _ => Err(Failure::unauthenticated()),
        }
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    struct OneOrTwo;

    impl Tokens for OneOrTwo {
        fn opens(&self, token: &str) -> bool {
            ["one", "two"].contains(&token)
        }
    }

    #[test]
    fn a_token_opens_and_nothing_else_does() {
        let gate = Gate { tokens: Some(Arc::new(OneOrTwo)) };
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
        Gate { tokens: None }.check(&HeaderMap::new()).unwrap();
    }
}
