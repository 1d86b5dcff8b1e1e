//! The tables, and how older databases are brought up to date.

use std::path::Path;

use rusqlite::{Connection, config::DbConfig};

use crate::error::StoreError;

/// Migrations in order; the database's `user_version` says how many it has seen. Never edit one that was released.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001.sql"),
    include_str!("schema/0002.sql"),
    include_str!("schema/0003.sql"),
    include_str!("schema/0004.sql"),
    include_str!("schema/0005.sql"),
    include_str!("schema/0006.sql"),
    include_str!("schema/0007.sql"),
    include_str!("schema/0008.sql"),
    include_str!("schema/0009.sql"),
    include_str!("schema/0010.sql"),
    include_str!("schema/0011.sql"),
    include_str!("schema/0012.sql"),
    include_str!("schema/0013.sql"),
    include_str!("schema/0014.sql"),
    include_str!("schema/0015.sql"),
    include_str!("schema/0016.sql"),
];

/// Small pages: a commit of a few rows writes a few pages, and flash wears by the page (measured: 1 KiB pages halve the
/// bytes per run against 4 KiB). Only takes effect in a new database.
const PAGE_SIZE: u32 = 1024;

/// The write-ahead log begins anew when it has so many pages.
const LOG_PAGES: u32 = 4000;
/// The length that it has then, with some for the commit that goes beyond. A frame is a page and its header of 24 bytes.
pub(crate) const LOG_BYTES: u64 = (LOG_PAGES + 256) as u64 * (PAGE_SIZE + 24) as u64;

/// Has statements keep the plans that they were prepared with. Where a table has an index with a condition, SQLite would else prepare a
/// statement anew with each value that is bound, because one might fulfil the condition: that was a quarter of what the writer did
/// for a webhook. None of our plans waits for a value.
pub(crate) fn keep_plans(connection: &Connection) -> Result<(), StoreError> {
    let set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    set.map(drop).map_err(StoreError::sqlite("have its plans kept"))
}

/// Prepares the writer's connection and brings the schema up to date. Says whether the database is new.
pub(crate) fn prepare(connection: &mut Connection, path: &Path, synchronous: &str) -> Result<bool, StoreError> {
    // First: a database of a newer binary is not touched at all.
    let found: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(StoreError::sqlite("tell its schema version"))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    keep_plans(connection)?;
    let pragmas = format!(
        "PRAGMA page_size = {PAGE_SIZE};
         PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA foreign_keys = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -2048;
         PRAGMA wal_autocheckpoint = {LOG_PAGES};
         PRAGMA journal_size_limit = 8388608;"
    );
    connection.execute_batch(&pragmas).map_err(StoreError::sqlite("set its pragmas"))?;
    for (version, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        let script = format!("BEGIN IMMEDIATE;\n{migration}\nPRAGMA user_version = {version};\nCOMMIT;");
        connection.execute_batch(&script).map_err(StoreError::sqlite("migrate its schema"))?;
    }
    Ok(found == 0)
}
