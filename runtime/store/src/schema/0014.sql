-- Rollouts of models, workflows and plugins, by the name of their subject in the journal. `plan` is JSON; `content` is a candidate that lies nowhere else, a workflow's text; `state` is the evidence as it was
-- kept last. One that has ended stays: its candidate's content cools down, and people ask. `key` draws who is answered by which version.
CREATE TABLE rollouts (
    id          INTEGER PRIMARY KEY,
    subject     TEXT NOT NULL,
    stable      TEXT NOT NULL,
    candidate   TEXT NOT NULL,
    digest      TEXT NOT NULL,
    key         TEXT NOT NULL,
    plan        TEXT NOT NULL,
    content     TEXT,
    status      TEXT NOT NULL,
    state       BLOB NOT NULL,
    started_ms  INTEGER NOT NULL,
    started_by  TEXT NOT NULL,
    ended_ms    INTEGER
) STRICT;
CREATE INDEX rollouts_by_subject ON rollouts (subject, id);
CREATE UNIQUE INDEX rollouts_under_way ON rollouts (subject) WHERE ended_ms IS NULL;
