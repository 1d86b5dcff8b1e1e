-- The registry of models. A number of a version is never given again, so the row of a model stays when its last version is gone.
CREATE TABLE models (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    last_version  INTEGER NOT NULL
) STRICT;
-- The files of a version lie in the folder that its digest names, which is that of its manifest.
CREATE TABLE model_versions (
    model      INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    digest     BLOB NOT NULL,
    bytes      INTEGER NOT NULL,
    added_ms   INTEGER NOT NULL,
    added_by   TEXT NOT NULL,
    engine     TEXT,
    tested     TEXT,
    problem    TEXT,
    tested_ms  INTEGER,
    PRIMARY KEY (model, version)
) STRICT, WITHOUT ROWID;
CREATE INDEX model_versions_by_digest ON model_versions (digest);
CREATE TABLE model_aliases (
    model     INTEGER NOT NULL,
    alias     TEXT NOT NULL,
    version   INTEGER NOT NULL,
    moved_ms  INTEGER NOT NULL,
    moved_by  TEXT NOT NULL,
    PRIMARY KEY (model, alias)
) STRICT, WITHOUT ROWID;
