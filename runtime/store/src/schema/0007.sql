-- Entries of the journal that belong to no run (a trigger is paused, a definition comes into use): each has a subject, and
-- `journal.run` is then the subject's number below zero. `last_entry` and `journal.previous` link the entries of one subject
-- as they link those of one run.
CREATE TABLE subjects (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    last_entry  INTEGER NOT NULL
) STRICT;

-- One row: the artifacts that entries up to this one name were not counted when they were written. A consumer does it.
CREATE TABLE uncounted (seq INTEGER NOT NULL) STRICT;
INSERT INTO uncounted SELECT coalesce(max(seq), 0) FROM journal;

-- What stands in the tables `paused` and `activations` so far becomes entries.
INSERT INTO subjects (name, last_entry) SELECT 'trigger/' || trigger, 0 FROM paused ORDER BY trigger;
INSERT INTO journal (run, previous, at_ms, events)
    SELECT -s.id, 0, p.at_ms, json_array(json_object('event', 'trigger-paused', 'by', p.by))
    FROM paused p JOIN subjects s ON s.name = 'trigger/' || p.trigger ORDER BY p.at_ms, p.trigger;
INSERT INTO subjects (name, last_entry) SELECT DISTINCT 'workflow/' || workflow, 0 FROM activations ORDER BY workflow;
INSERT INTO journal (run, previous, at_ms, events)
    SELECT -s.id, 0, a.at_ms,
        json_array(json_patch('{}', json_object('event', 'activated', 'file', a.file, 'definition', d.digest, 'by', a.by)))
    FROM activations a JOIN subjects s ON s.name = 'workflow/' || a.workflow LEFT JOIN definitions d ON d.id = a.definition
    ORDER BY a.at_ms, a.workflow, a.seq;
UPDATE journal SET previous = coalesce((
        SELECT max(j.seq) FROM journal j
        WHERE j.seq > (SELECT seq FROM uncounted) AND j.seq < journal.seq AND j.run = journal.run), 0)
    WHERE seq > (SELECT seq FROM uncounted);
UPDATE subjects SET last_entry = coalesce((
        SELECT max(seq) FROM journal WHERE seq > (SELECT seq FROM uncounted) AND run = -subjects.id), 0);

-- Artifacts that the journal names, and how many runs name them. The rows of one that no run names any more go with its
-- file.
CREATE TABLE artifacts (
    id      INTEGER PRIMARY KEY,
    digest  BLOB NOT NULL UNIQUE,
    bytes   INTEGER NOT NULL,
    refs    INTEGER NOT NULL
) STRICT;
CREATE INDEX artifacts_free ON artifacts (id) WHERE refs = 0;
CREATE TABLE artifact_refs (
    run       INTEGER NOT NULL,
    artifact  INTEGER NOT NULL,
    PRIMARY KEY (run, artifact)
) STRICT, WITHOUT ROWID;

-- One row: when this table was made. Files of artifacts that nothing names and that are older may be those of another database
-- that lay here before.
CREATE TABLE born (at_ms INTEGER NOT NULL) STRICT;
INSERT INTO born VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER));

-- How far each consumer of the journal has come.
CREATE TABLE cursors (
    consumer  TEXT PRIMARY KEY,
    seq       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the runs of each workflow that have ended hold. Kept by the consumer `retention`.
CREATE TABLE holdings (
    id        INTEGER PRIMARY KEY,
    workflow  TEXT NOT NULL UNIQUE,
    runs      INTEGER NOT NULL,
    bytes     INTEGER NOT NULL
) STRICT;
CREATE TABLE ended_runs (
    run             INTEGER PRIMARY KEY,
    holding         INTEGER NOT NULL,
    ended_ms        INTEGER NOT NULL,
    parent          INTEGER,
    row_bytes       INTEGER NOT NULL,
    log_bytes       INTEGER NOT NULL,
    artifact_bytes  INTEGER NOT NULL
) STRICT;
CREATE INDEX ended_runs_of ON ended_runs (holding, run);
CREATE INDEX ended_runs_with_logs ON ended_runs (holding, run) WHERE log_bytes > 0;
CREATE INDEX ended_runs_with_artifacts ON ended_runs (holding, run) WHERE artifact_bytes > 0;

-- What each workflow used on each day (days since 1970, UTC). Kept by the consumer `usage`.
CREATE TABLE usage (
    workflow       TEXT NOT NULL,
    day            INTEGER NOT NULL,
    runs           INTEGER NOT NULL DEFAULT 0,
    succeeded      INTEGER NOT NULL DEFAULT 0,
    failed         INTEGER NOT NULL DEFAULT 0,
    cancelled      INTEGER NOT NULL DEFAULT 0,
    attempts       INTEGER NOT NULL DEFAULT 0,
    wall_us        INTEGER NOT NULL DEFAULT 0,
    cpu_us         INTEGER NOT NULL DEFAULT 0,
    model_us       INTEGER NOT NULL DEFAULT 0,
    memory_peak    INTEGER NOT NULL DEFAULT 0,
    bytes_written  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow, day)
) STRICT, WITHOUT ROWID;

-- Ends that people look for. Good ends are not in it: they cost nothing.
CREATE INDEX runs_not_good ON runs (id) WHERE end <> 'succeeded';
