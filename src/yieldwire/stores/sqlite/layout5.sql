-- The layout of a new file. Times are seconds: since the epoch if people can read
-- them, otherwise since the machine's start, which every process on it agrees about.

CREATE TABLE about (
    version INTEGER NOT NULL,
    boot TEXT NOT NULL            -- the machine start from which the other clock counts
);

CREATE TABLE runs (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT UNIQUE,              -- the idempotency key, within its owner and action
    fingerprint TEXT NOT NULL,
    feed TEXT,                    -- the identity of a feed that all readers share
    action TEXT NOT NULL,
    quota_key TEXT NOT NULL,
    owner TEXT,
    labels TEXT NOT NULL,         -- a JSON array
    linger REAL,
    detached INTEGER NOT NULL,
    timeout REAL,
    retries INTEGER NOT NULL,
    retention REAL NOT NULL,
    keep INTEGER,
    status TEXT NOT NULL,
    fence INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    cancel_reason TEXT,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    lease_until REAL,             -- machine's clock, as are the next two
    read_until REAL NOT NULL,
    expires_at REAL
);

-- Never written again, and possibly large: a change of a run writes its whole row.
CREATE TABLE inputs (
    run INTEGER PRIMARY KEY,
    input BLOB NOT NULL,
    context BLOB NOT NULL
);

-- A feed has one run at a time: the next can start when the last has ended or was asked to stop.
CREATE UNIQUE INDEX runs_feed ON runs (feed)
WHERE feed IS NOT NULL AND ended_at IS NULL AND cancel_reason IS NULL;
CREATE INDEX runs_live ON runs (quota_key, action) WHERE ended_at IS NULL;
CREATE INDEX runs_expiry ON runs (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX runs_owner ON runs (owner, n);

-- In the order of writing, so that what many runs append at the same time is on the same pages.
CREATE TABLE blocks (
    run INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    ending TEXT,                  -- the type of the terminal event at the block's end
    body BLOB NOT NULL,           -- one line for each event
    at REAL NOT NULL,             -- the time when it was written, since the epoch
    UNIQUE (run, first)
);

-- Where a log begins and ends is known from its blocks: an append writes nothing else.
CREATE VIEW heads AS
SELECT n, id, status, fence, keep,
    coalesce((SELECT last FROM blocks WHERE run = n ORDER BY first DESC LIMIT 1), 0) AS seq,
    coalesce((SELECT min(first) FROM blocks WHERE run = n), 1) AS first_seq
FROM runs;

CREATE VIEW records AS
SELECT runs.*, heads.seq, heads.first_seq, inputs.input, inputs.context
FROM runs CROSS JOIN heads ON heads.n = runs.n CROSS JOIN inputs ON inputs.run = runs.n;

CREATE TABLE readers (
    run INTEGER NOT NULL,
    reader TEXT NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (run, reader)
) WITHOUT ROWID;

-- Idempotency keys of starts that were cancelled before they arrived.
CREATE TABLE refusals (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    seconds REAL NOT NULL,
    until REAL NOT NULL           -- machine's clock
);
CREATE INDEX refusals_until ON refusals (until);

-- A number is never reused, even if the rows before it are deleted.
CREATE TABLE revocations (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    at REAL NOT NULL              -- machine's clock
);
