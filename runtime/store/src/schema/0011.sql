-- Digests are random: each new artifact wrote a page of its own of an index over all of them. What the rows are found by is now the
-- beginning of the digest in a table that is written later, many neighbours at a time. Until then it stands in `late_digests`, in the
-- order of the rows. An artifact is in one of the two or in both. The newest row with a `hand` says how far the entering has come.
CREATE TABLE digests (
    prefix    BLOB NOT NULL,
    artifact  INTEGER NOT NULL,
    PRIMARY KEY (prefix, artifact)
) STRICT, WITHOUT ROWID;
CREATE TABLE late_digests (
    artifact  INTEGER PRIMARY KEY,
    prefix    BLOB NOT NULL,
    hand      BLOB
) STRICT;
INSERT INTO digests SELECT substr(digest, 1, 6), id FROM artifacts ORDER BY digest;

-- The same table without that index.
CREATE TABLE artifacts_by_id (
    id       INTEGER PRIMARY KEY,
    digest   BLOB NOT NULL,
    bytes    INTEGER NOT NULL,
    refs     INTEGER NOT NULL,
    content  BLOB
) STRICT;
INSERT INTO artifacts_by_id SELECT id, digest, bytes, refs, content FROM artifacts ORDER BY id;
DROP TABLE artifacts;
ALTER TABLE artifacts_by_id RENAME TO artifacts;
CREATE INDEX artifacts_free ON artifacts (id) WHERE refs = 0;
CREATE INDEX artifacts_files ON artifacts (bytes, content) WHERE content IS NULL;

-- Which trigger's request started a run, where the request has no identity that could come again. They go with their runs; before,
-- each had a row of the ledger.
CREATE TABLE senders (
    id       INTEGER PRIMARY KEY,
    trigger  TEXT NOT NULL,
    path     TEXT NOT NULL,
    UNIQUE (trigger, path)
) STRICT;
CREATE TABLE requests (
    sender  INTEGER NOT NULL,
    run     INTEGER NOT NULL,
    PRIMARY KEY (sender, run)
) STRICT, WITHOUT ROWID;

-- What entries of a definition look like. Entries may be written as what is not in a sample; it is never changed, its number is
-- never given again, and it goes with its definition.
CREATE TABLE samples (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    definition  INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    digest      BLOB NOT NULL
) STRICT;
