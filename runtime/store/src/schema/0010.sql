-- Entries in their packed form: what JSON says in a third of the bytes. `events` is empty then.
ALTER TABLE journal ADD COLUMN packed BLOB;
