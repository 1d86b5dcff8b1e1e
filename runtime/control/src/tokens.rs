//! Tokens: made, listed, revoked.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::{Method, body::Bytes};
use serde::{Deserialize, Serialize};
use trackside_codes::{Code, Coded, code};
use trackside_spec::{Digest, Duration, Role};
use trackside_store::{Reader, StoreError, TokenRow, Write};

use crate::{
    ModelPlace, ModelsError,
    client::{Client, ClientError},
    escape,
    refusal::Refusal,
};

/// How a token begins: whoever finds one in a log or a repository knows what it opens.
pub const TOKEN_PREFIX: &str = "tsk_";
/// Bytes of chance in a token.
const CHANCE: usize = 32;
/// Longest name of a token.
const LONGEST: usize = 64;
/// Most tokens.
const MOST: usize = 1000;

/// A token that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeToken {
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// How long it opens; for ever without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Duration>,
}

/// A new token. This is the only time that it is shown: its digest alone is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMade {
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// From when on it opens no more, milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
    /// The token.
    pub token: String,
}

impl std::fmt::Debug for TokenMade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What is printed for debugging ends up in logs.
        f.debug_struct("TokenMade").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A token that opens no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRevoked {
    /// Its name.
    pub name: String,
}

/// Why nothing was done about a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// That is no name.
    #[error("[{code}] {} is no name of a token: letters, digits, `.`, `_` and `-`, at most {LONGEST}", escape(name), code = self.code())]
    Name {
        /// As given.
        name: String,
    },
    /// There is one.
    #[error("[{code}] there is a token `{name}` already; revoke it first, or take another name", code = self.code())]
    Taken {
        /// Its name.
        name: String,
    },
    /// There is none.
    #[error("[{code}] there is no token `{}`; `trackside token list` shows them", escape(name), code = self.code())]
    Unknown {
        /// As given.
        name: String,
    },
    /// There are too many.
    #[error("[{code}] there are {MOST} tokens, and no more are made; revoke some", code = self.code())]
    TooMany,
    /// The system gives no chance.
    #[error("[{code}] no token was made: the system gives no random bytes: {reason}", code = self.code())]
    NoChance {
        /// Why.
        reason: getrandom::Error,
    },
}

impl Coded for TokenError {
    fn code(&self) -> Code {
        match self {
            Self::Name { .. } => code!("TS-0770"),
            Self::Taken { .. } => code!("TS-0771"),
            Self::Unknown { .. } => code!("TS-0772"),
            Self::TooMany => code!("TS-0773"),
            Self::NoChance { .. } => code!("TS-0774"),
        }
    }
}

/// The digest under which a token is known.
#[must_use]
pub fn token_digest(token: &str) -> Digest {
    Digest::of(token.as_bytes())
}

/// Makes a token. It is on disk when this ends.
///
/// # Errors
/// [`TokenError`], or the store's.
pub fn make_token(place: &mut ModelPlace, wanted: &MakeToken) -> Result<TokenMade, ModelsError> {
    let MakeToken { name, role, expires } = wanted;
    check_name(name)?;
    let known = place.read(Reader::tokens)?;
    if known.iter().any(|row| row.name == *name) {
        return Err(TokenError::Taken { name: name.clone() }.into());
    }
    if known.len() >= MOST {
        return Err(TokenError::TooMany.into());
    }
    let mut chance = [0; CHANCE];
    getrandom::fill(&mut chance).map_err(|reason| TokenError::NoChance { reason })?;
    let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(chance));
    let made_ms = place.now_ms();
    let lasts = |expires: &Duration| made_ms.saturating_add(i64::try_from(expires.as_millis()).unwrap_or(i64::MAX));
    let expires_ms = expires.as_ref().map(lasts);
    let (name, role, made_by) = (name.clone(), *role, place.by());
    let row = TokenRow { name: name.clone(), digest: token_digest(&token), role, made_ms, made_by, expires_ms };
    place.keep(vec![Write::TokenMade(row)])?;
    Ok(TokenMade { name, role, expires_ms, token })
}

/// Revokes a token. It is on disk when this ends; a server knows of it within a second.
///
/// # Errors
/// [`TokenError`], or the store's.
pub fn revoke_token(place: &mut ModelPlace, name: &str) -> Result<TokenRevoked, ModelsError> {
    let known = place.read(Reader::tokens)?;
    if !known.iter().any(|row| row.name == name) {
        return Err(TokenError::Unknown { name: name.to_owned() }.into());
    }
    let (name, at_ms, by) = (name.to_owned(), place.now_ms(), place.by());
    place.keep(vec![Write::TokenRevoked { name: name.clone(), at_ms, by }])?;
    Ok(TokenRevoked { name })
}

/// A token, without what opens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenDocument {
    /// Its name.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// When it was made, milliseconds since 1970.
    pub made_ms: i64,
    /// Who made it.
    pub by: String,
    /// From when on it opens no more, milliseconds since 1970; never where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<i64>,
}

/// The tokens.
///
/// # Errors
/// When the database refuses.
pub fn list_tokens(reader: &Reader) -> Result<Vec<TokenDocument>, StoreError> {
    let document = |row: TokenRow| {
        let TokenRow { name, role, made_ms, made_by: by, expires_ms, .. } = row;
        TokenDocument { name, role, made_ms, by, expires_ms }
    };
    Ok(reader.tokens()?.into_iter().map(document).collect())
}

fn check_name(name: &str) -> Result<(), TokenError> {
    let inside = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'.' | b'_' | b'-');
    let fits = (1..=LONGEST).contains(&name.len())
        && name.bytes().all(inside)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if fits { Ok(()) } else { Err(TokenError::Name { name: name.chars().take(120).collect() }) }
}

impl Client {
    /// Has the node make a token.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn make_token(&self, wanted: &MakeToken) -> Result<TokenMade, ClientError> {
        self.ask(Method::POST, "/v1/tokens", self.json(wanted)?).await
    }

    /// Has the node revoke a token.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn revoke_token(&self, name: &str) -> Result<TokenRevoked, ClientError> {
        // No name has a character that needs quoting in a path.
        if let Err(error) = check_name(name) {
            return Err(Refusal::new(400, error.code(), error.message()).into());
        }
        self.ask(Method::POST, &format!("/v1/tokens/{name}/revoke"), Bytes::new()).await
    }
}
