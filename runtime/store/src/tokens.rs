//! Tokens: who may ask the node over a network.

use rusqlite::{Transaction, params};
use trackside_facts::{Subject, SubjectEvent};
use trackside_spec::{Digest, Role};

use crate::{error::StoreError, read::Reader, subjects};

/// A token, without what opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its name.
    pub name: String,
    /// Of the token itself.
    pub digest: Digest,
    /// What its holder may do.
    pub role: Role,
    /// When it was made, milliseconds since 1970.
    pub made_ms: i64,
    /// Who made it.
    pub made_by: String,
    /// From when on it opens no more; never where nothing is said.
    pub expires_ms: Option<i64>,
}

/// One of a name that is taken changes nothing: whoever submits it has looked before.
pub(crate) fn make(txn: &Transaction<'_>, row: &TokenRow) -> rusqlite::Result<()> {
    let TokenRow { name, digest, role, made_ms, made_by, expires_ms } = row;
    let new = txn
        .prepare_cached(
            "INSERT INTO tokens (name, digest, role, made_ms, made_by, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![name, digest.as_bytes(), role.name(), made_ms, made_by, expires_ms])?;
    if new == 0 {
        tracing::error!(token = name, "[TS-0208] a bug: there is such a token already; none was made");
        return Ok(());
    }
    let event = SubjectEvent::TokenMade { role: *role, expires_ms: *expires_ms, by: made_by.clone() };
    subjects::enter(txn, &Subject::Token(name.clone()), *made_ms, &event)
}

pub(crate) fn revoke(txn: &Transaction<'_>, name: &str, at_ms: i64, by: &str) -> rusqlite::Result<()> {
    if txn.prepare_cached("DELETE FROM tokens WHERE name = ?1")?.execute([name])? == 0 {
        return Ok(());
    }
    subjects::enter(txn, &Subject::Token(name.to_owned()), at_ms, &SubjectEvent::TokenRevoked { by: by.to_owned() })
}

impl Reader {
    /// The tokens that were not revoked, by name, those that have expired included. One that is damaged is left out: it opens
    /// nothing.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        if !self.has_table("tokens")? {
            return Ok(Vec::new());
        }
        let rows = self.rows(
            "SELECT name, digest, role, made_ms, made_by, expires_ms FROM tokens ORDER BY name",
            [],
            |row| {
                let (digest, role): (Vec<u8>, String) = (row.get(1)?, row.get(2)?);
                let (Ok(digest), Ok(role)) = (<[u8; 32]>::try_from(digest), role.parse()) else { return Ok(None) };
                Ok(Some(TokenRow {
                    name: row.get(0)?,
                    digest: Digest::from_bytes(digest),
                    role,
                    made_ms: row.get(3)?,
                    made_by: row.get(4)?,
                    expires_ms: row.get(5)?,
                }))
            },
        )?;
        Ok(rows.into_iter().flatten().collect())
    }
}
