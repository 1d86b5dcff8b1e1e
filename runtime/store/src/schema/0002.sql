-- Steps that run for several items: which item an effect or a log belongs to. An effect without an item has none; a log
-- without one has -1, because a key cannot be null.
ALTER TABLE outbox ADD COLUMN item INTEGER;

CREATE TABLE logs_by_item (
    run      INTEGER NOT NULL,
    step     INTEGER NOT NULL,
    item     INTEGER NOT NULL,
    attempt  INTEGER NOT NULL,
    lines    TEXT NOT NULL,
    PRIMARY KEY (run, step, item, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO logs_by_item SELECT run, step, -1, attempt, lines FROM logs;
DROP TABLE logs;
ALTER TABLE logs_by_item RENAME TO logs;
