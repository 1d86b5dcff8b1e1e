-- Small artifacts stand in the database, each in the row that counts who names it. One without content is a file.
ALTER TABLE artifacts ADD COLUMN content BLOB;
-- What the files hold together is asked for often; what stands here is among the pages of the database already.
CREATE INDEX artifacts_files ON artifacts (bytes, content) WHERE content IS NULL;

-- Requests that have no identity of their own all came to one path, and nobody asks for it.
DROP INDEX ledger_path;
CREATE INDEX ledger_path ON ledger (trigger, path) WHERE substr(identity, 1, 2) <> 'r:';
