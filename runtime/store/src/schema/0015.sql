-- What is watched for drift: a version of a model, or a table that a contract checks (version 0). `content` tells it from another
-- content under the same number; `state` goes on after a restart; `reference` is JSON for whoever asks.
CREATE TABLE drift (
    id         INTEGER PRIMARY KEY,
    subject    TEXT NOT NULL,
    version    INTEGER NOT NULL,
    content    TEXT NOT NULL,
    state      BLOB NOT NULL,
    reference  TEXT NOT NULL,
    drift      TEXT NOT NULL,
    alarm      TEXT,
    at_ms      INTEGER NOT NULL,
    UNIQUE (subject, version)
) STRICT;
-- Windows that have closed, newest last: so many of each.
CREATE TABLE drift_windows (
    drift      INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    to_ms      INTEGER NOT NULL,
    says       TEXT NOT NULL,
    document   TEXT NOT NULL,
    PRIMARY KEY (drift, number)
) STRICT, WITHOUT ROWID;
