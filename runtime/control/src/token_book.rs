//! The tokens of the database, for a server that is asked with each request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use trackside_spec::{Digest, Role};
use trackside_store::{Clock, Reader, Readers};
use trackside_sync::lock;

use crate::token_digest;

/// How long what was read is believed: a revoked token opens no longer than this.
const BELIEVED: Duration = Duration::from_secs(1);

/// The tokens of the database, read once in each second in which somebody asks.
pub struct TokenBook {
    readers: Arc<Readers>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    read: Option<Instant>,
    /// What its holder may do, and until when, by the token's digest.
    tokens: HashMap<Digest, (Role, Option<i64>)>,
}

impl TokenBook {
    /// Those that these readers see. Nothing is read yet.
    #[must_use]
    pub fn new(readers: Arc<Readers>, clock: Arc<dyn Clock>) -> Self {
        Self { readers, clock, known: Mutex::default() }
    }

    /// What the holder of this token may do; nothing when it is none, was revoked, or has expired. Looks into the database once in a
    /// second: that takes as long as a small question does.
    #[must_use]
    pub fn role(&self, token: &str) -> Option<Role> {
        // The digest of whatever was sent is looked for: how long that takes says nothing of a token.
        let digest = token_digest(token);
        let mut known = lock(&self.known);
        if known.read.is_none_or(|read| read.elapsed() >= BELIEVED) {
            *known = Known { read: Some(Instant::now()), tokens: self.read() };
        }
        let (role, expires_ms) = *known.tokens.get(&digest)?;
        drop(known);
        expires_ms.is_none_or(|expires_ms| self.clock.now_ms() < expires_ms).then_some(role)
    }

    fn read(&self) -> HashMap<Digest, (Role, Option<i64>)> {
        match self.readers.with(Reader::tokens) {
            Ok(rows) => rows.into_iter().map(|row| (row.digest, (row.role, row.expires_ms))).collect(),
            Err(error) => {
                tracing::error!("tokens can not be read, and nobody is let in: {error}");
                HashMap::new()
            }
        }
    }
}
