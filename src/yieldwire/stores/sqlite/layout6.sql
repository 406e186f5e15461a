-- Webhooks.

ALTER TABLE runs ADD COLUMN webhooks TEXT;  -- a JSON array, or nothing

-- What webhooks are told, until they have it. They outlive their runs.
CREATE TABLE deliveries (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    url TEXT NOT NULL,
    run_id TEXT NOT NULL,
    owner TEXT,
    body BLOB NOT NULL,
    at REAL NOT NULL,             -- the time of the event, since the epoch
    tries INTEGER NOT NULL,
    failure TEXT,
    due_at REAL,                  -- machine's clock; nothing: given up
    UNIQUE (id, url)
);
CREATE INDEX deliveries_due ON deliveries (due_at);
CREATE INDEX deliveries_run ON deliveries (run_id);
