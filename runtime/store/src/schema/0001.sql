-- Workflow definitions as they were when runs started on them.
CREATE TABLE definitions (
    id      INTEGER PRIMARY KEY,
    digest  TEXT NOT NULL UNIQUE,
    name    TEXT NOT NULL,
    source  TEXT NOT NULL
) STRICT;

-- One row per run. The id sorts by time.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    definition  INTEGER NOT NULL,
    trigger     TEXT NOT NULL,
    started_ms  INTEGER NOT NULL,
    ended_ms    INTEGER,
    end         TEXT,
    error       TEXT,
    last_entry  INTEGER NOT NULL
) STRICT;

-- One row: all runs before this one have ended. Kept up to date every few hundred runs, so that a start need not look
-- through all of history and no run has to write an index.
CREATE TABLE live_from (run INTEGER NOT NULL) STRICT;
INSERT INTO live_from VALUES (0);

-- The truth: what happened, in the order of commits. `previous` links the entries of one run backwards, which costs no
-- page of its own as an index on `run` would.
CREATE TABLE journal (
    seq       INTEGER PRIMARY KEY,
    run       INTEGER NOT NULL,
    previous  INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    events    TEXT NOT NULL
) STRICT;

-- Files that a trigger has seen: one run for each identity.
CREATE TABLE ledger (
    trigger   TEXT NOT NULL,
    identity  TEXT NOT NULL,
    run       INTEGER,
    path      TEXT NOT NULL,
    stat      TEXT NOT NULL,
    claimed   INTEGER NOT NULL,
    at_ms     INTEGER NOT NULL,
    PRIMARY KEY (trigger, identity)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_path ON ledger (trigger, path);

-- What each trigger has handled so far: for cron the latest schedule time.
CREATE TABLE triggers (
    trigger      TEXT PRIMARY KEY,
    position_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The plugins' key-value state. `scope` is a step id, or '' for the workflow's own.
CREATE TABLE state (
    workflow    TEXT NOT NULL,
    scope       TEXT NOT NULL,
    key         TEXT NOT NULL,
    value       BLOB NOT NULL,
    version     INTEGER NOT NULL,
    expires_ms  INTEGER,
    PRIMARY KEY (workflow, scope, key)
) STRICT, WITHOUT ROWID;

-- Effects that wait to be carried out. A row goes when its effect is done.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY,
    run      INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    entry    INTEGER NOT NULL,
    body     TEXT NOT NULL
) STRICT;

-- What steps logged, one row per attempt.
CREATE TABLE logs (
    run      INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    lines    TEXT NOT NULL,
    PRIMARY KEY (run, step, attempt)
) STRICT, WITHOUT ROWID;
