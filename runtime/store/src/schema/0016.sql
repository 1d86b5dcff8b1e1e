-- Predictions that wait for their truth, or have it: one for each request of a model, the last of its id, and besides the one that a
-- candidate made in the shadow of it. They go with their number and age.
CREATE TABLE predictions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    request    TEXT NOT NULL,
    model      TEXT NOT NULL,
    shadow     INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    answers    TEXT NOT NULL,
    tolerance  REAL NOT NULL,
    truth      TEXT,
    told_ms    INTEGER
) STRICT;
CREATE UNIQUE INDEX predictions_by_request ON predictions (request, model, shadow);
CREATE INDEX predictions_by_model ON predictions (model, id);
-- Truth that was told of predictions that are not there, or not yet. An empty model is whichever has the request.
CREATE TABLE early_labels (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    request  TEXT NOT NULL,
    model    TEXT NOT NULL,
    truth    TEXT NOT NULL,
    at_ms    INTEGER NOT NULL,
    by       TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX early_labels_by_request ON early_labels (request, model);
-- Inputs that are kept because a label would teach most for them; each has a file of its name in `samples/`.
CREATE TABLE hard_samples (
    id           TEXT PRIMARY KEY,
    model        TEXT NOT NULL,
    version      INTEGER NOT NULL,
    request      TEXT,
    at_ms        INTEGER NOT NULL,
    reason       TEXT NOT NULL,
    answers      TEXT NOT NULL,
    bytes        INTEGER NOT NULL,
    redacted     TEXT NOT NULL,
    label        TEXT,
    labelled_by  TEXT
) STRICT, WITHOUT ROWID;
-- What is counted of each version: requests that it answered, and answers whose truth was told, of which a request has as many as it
-- has rows. `state` is what follows from verdicts.
CREATE TABLE accuracy (
    model       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    answered    INTEGER NOT NULL,
    recorded    INTEGER NOT NULL,
    passed      TEXT NOT NULL,
    labelled    INTEGER NOT NULL,
    correct     INTEGER NOT NULL,
    state       BLOB,
    PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;
-- Answers that were found right or wrong, until what follows from them is drawn.
CREATE TABLE verdicts (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    model           TEXT NOT NULL,
    version         INTEGER NOT NULL,
    correct         INTEGER NOT NULL,
    was             INTEGER,
    confidence      REAL,
    shadow          INTEGER NOT NULL,
    shadow_version  INTEGER,
    shadow_correct  INTEGER
) STRICT;
