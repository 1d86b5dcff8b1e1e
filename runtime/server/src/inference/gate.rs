//! Who may ask: everybody, or who brings a token.

use std::sync::Arc;

use hyper::{HeaderMap, header::AUTHORIZATION};

use trackside_spec::{Right, Role};

use super::failure::Failure;

/// Whoever knows the tokens that open. It is asked with each request, from several threads.
pub trait Tokens: Send + Sync + 'static {
    /// What the holder of this token may do; nothing when it is none of them. The time that it takes should say nothing of those.
    fn role(&self, token: &str) -> Option<Role>;
}

/// Lets in who may.
pub(crate) struct Gate {
    /// None for everybody.
    pub(crate) tokens: Option<Arc<dyn Tokens>>,
}

impl Gate {
    /// Lets a request in that needs this right.
    ///
    /// # Errors
    /// TS-0752 without a token that is known, TS-0759 with one whose role has not the right.
    pub(crate) fn check(&self, headers: &HeaderMap, right: Right) -> Result<(), Failure> {
        let Some(tokens) = &self.tokens else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?));
        match given.and_then(|given| tokens.role(given)) {
            Some(role) if role.may(right) => Ok(()),
            Some(role) => Err(Failure::not_with(role)),
            None => Err(Failure::unauthenticated()),
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
        fn role(&self, token: &str) -> Option<Role> {
            match token {
                "one" => Some(Role::Client),
                "two" => Some(Role::Operator),
                _ => None,
            }
        }
    }

    #[test]
    fn a_token_opens_and_nothing_else_does() {
        let gate = Gate { tokens: Some(Arc::new(OneOrTwo)) };
        let check = |value: &'static str| {
            gate.check(&HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]), Right::Infer).is_ok()
        };
        assert!(check("Bearer one") && check("bearer two"));
        assert!(
            !check("Bearer three")
                && !check("Basic one")
                && !check("one")
                && !check("Bearer ")
                && !check("Bearer oneone")
        );
        assert_eq!(gate.check(&HeaderMap::new(), Right::Infer).unwrap_err().status(), 401);
        let one = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Bearer one"))]);
        assert_eq!(gate.check(&one, Right::Operate).unwrap_err().status(), 403);
        Gate { tokens: None }.check(&HeaderMap::new(), Right::Operate).unwrap();
    }
}
