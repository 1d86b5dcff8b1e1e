-- What a trigger remembers between its runs, where a position in time does not say it: one small document for each key.
CREATE TABLE trigger_state (
    trigger  TEXT NOT NULL,
    key      TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (trigger, key)
) STRICT, WITHOUT ROWID;
