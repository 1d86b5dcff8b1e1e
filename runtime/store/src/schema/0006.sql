-- Which definition of a workflow was taken into use when, and by whom. The newest row of a workflow is what is in use; one
-- without a definition says that the workflow was taken out.
CREATE TABLE activations (
    workflow    TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    file        TEXT NOT NULL,
    definition  INTEGER,
    by          TEXT NOT NULL,
    PRIMARY KEY (workflow, seq)
) STRICT, WITHOUT ROWID;
