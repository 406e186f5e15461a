-- What others tell a run, and what its attempts leave for the next one.

ALTER TABLE runs ADD COLUMN saved_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN parent TEXT;             -- the id of the run that started this one
CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;

CREATE TABLE messages (
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,
    data BLOB NOT NULL,
    question TEXT,
    by TEXT,
    key TEXT,
    at REAL NOT NULL,             -- since the epoch
    is_timeout INTEGER NOT NULL,
    UNIQUE (run, number)
);
CREATE UNIQUE INDEX messages_key ON messages (run, key) WHERE key IS NOT NULL;
-- The first answer to a question is the only one.
CREATE UNIQUE INDEX messages_question ON messages (run, question) WHERE question IS NOT NULL;

CREATE TABLE checkpoints (
    run INTEGER NOT NULL,
    name TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, name)
);

-- Also if a process that does not know these tables deletes the run.
CREATE TRIGGER runs_forget AFTER DELETE ON runs BEGIN
    DELETE FROM messages WHERE run = old.n;
    DELETE FROM checkpoints WHERE run = old.n;
END;
