-- Triggers that somebody has paused. A row goes when its trigger is resumed.
CREATE TABLE paused (
    trigger  TEXT PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    by       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
