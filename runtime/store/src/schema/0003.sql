-- Decisions about files seen and times due that started no run (yet); those that did are in the ledger. A ring for each
-- trigger: the oldest rows go.
CREATE TABLE decisions (
    trigger   TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    subject   TEXT NOT NULL,
    at_ms     INTEGER NOT NULL,
    decision  TEXT NOT NULL,
    detail    TEXT NOT NULL,
    PRIMARY KEY (trigger, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_subject ON decisions (trigger, subject);

-- Schedule times that wait for a run of their trigger to end.
CREATE TABLE cron_queue (
    trigger     TEXT NOT NULL,
    logical_ms  INTEGER NOT NULL,
    missed      INTEGER NOT NULL,
    PRIMARY KEY (trigger, logical_ms)
) STRICT, WITHOUT ROWID;

-- One row: a name of this box that nobody gave it. Jitter is derived from it.
CREATE TABLE box (id TEXT NOT NULL) STRICT;
INSERT INTO box VALUES (lower(hex(randomblob(16))));
