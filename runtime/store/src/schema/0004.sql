-- Results of pure steps that stand for the same step with the same input. Bounded by number and size; the one that was
-- used longest ago goes first.
CREATE TABLE results (
    id         INTEGER PRIMARY KEY,
    key        BLOB NOT NULL UNIQUE,
    run        INTEGER NOT NULL,
    output     TEXT NOT NULL,
    artifacts  TEXT NOT NULL,
    used       INTEGER NOT NULL,
    bytes      INTEGER NOT NULL
) STRICT;
-- With the size, so that looking for what has to go does not read the outputs.
CREATE INDEX results_used ON results (used, bytes);
