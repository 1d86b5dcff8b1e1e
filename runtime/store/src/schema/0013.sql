-- Who may ask the node over a network. What is kept of a token is its digest; whoever reads this can not make one of it.
CREATE TABLE tokens (
    name        TEXT PRIMARY KEY,
    digest      BLOB NOT NULL UNIQUE,
    role        TEXT NOT NULL,
    made_ms     INTEGER NOT NULL,
    made_by     TEXT NOT NULL,
    expires_ms  INTEGER
) STRICT, WITHOUT ROWID;
