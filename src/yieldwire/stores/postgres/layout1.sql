-- The first layout. Times are seconds since the epoch, by the server's clock. Names that callers
-- choose can be long, so where they are only compared, their digest is kept, or indexed.

CREATE TABLE yieldwire.about (
    version bigint NOT NULL,
    revocations bigint NOT NULL DEFAULT 0  -- the number of the newest one
);

-- What an append reads and changes: narrow, and with room on its page for the next version.
CREATE TABLE yieldwire.heads (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL UNIQUE,
    writer bigint,                -- the fence that is allowed to append, while the run is running
    seq bigint NOT NULL DEFAULT 0,
    first_seq bigint NOT NULL DEFAULT 1,
    keep bigint,
    lease_until double precision
) WITH (fillfactor = 60);

CREATE INDEX heads_lease ON yieldwire.heads (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE yieldwire.runs (
    n bigint PRIMARY KEY,
    key bytea,                    -- the digest of the idempotency key, within its owner and action
    fingerprint text NOT NULL,
    feed bytea,                   -- the digest of the identity of a feed that all readers share
    action text NOT NULL,
    quota_key text NOT NULL,
    owner text,
    labels text[] NOT NULL,
    linger double precision,
    detached boolean NOT NULL,
    timeout double precision,
    retries bigint NOT NULL,
    retention double precision NOT NULL,
    webhooks text[] NOT NULL,
    question_webhooks text[] NOT NULL,
    queue text,
    priority bigint NOT NULL,
    not_before double precision,
    is_waiting boolean NOT NULL,  -- whether it is in its queue, and nobody has taken it
    parent text COLLATE "C",      -- the id of the run that started this one
    status text COLLATE "C" NOT NULL,
    fence bigint NOT NULL,
    attempt bigint NOT NULL,
    saved_seq bigint NOT NULL,
    cancel_reason text,
    created_at double precision NOT NULL,
    started_at double precision,
    ended_at double precision,
    read_until double precision NOT NULL,
    expires_at double precision
) WITH (fillfactor = 80);

CREATE UNIQUE INDEX runs_key ON yieldwire.runs (key) WHERE key IS NOT NULL;
-- A feed has one run at a time: the next can start when the last has ended or was asked to stop.
CREATE UNIQUE INDEX runs_feed ON yieldwire.runs (feed)
WHERE feed IS NOT NULL AND ended_at IS NULL AND cancel_reason IS NULL;
CREATE INDEX runs_live ON yieldwire.runs (hashtextextended(quota_key, 0)) WHERE ended_at IS NULL;
CREATE INDEX runs_attached ON yieldwire.runs (n)
WHERE ended_at IS NULL AND NOT detached AND linger IS NOT NULL AND cancel_reason IS NULL;
CREATE INDEX runs_waiting ON yieldwire.runs (n) WHERE is_waiting;
CREATE INDEX runs_taken ON yieldwire.runs (n)
WHERE queue IS NOT NULL AND ended_at IS NULL AND NOT is_waiting;
CREATE INDEX runs_expiry ON yieldwire.runs (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX runs_owner ON yieldwire.runs (hashtextextended(owner, 0), n);
CREATE INDEX runs_status ON yieldwire.runs (status, n);
CREATE INDEX runs_labels ON yieldwire.runs USING gin (labels) WHERE labels <> '{}';
CREATE INDEX runs_parent ON yieldwire.runs (parent) WHERE parent IS NOT NULL;

-- Never written again, and possibly large.
CREATE TABLE yieldwire.inputs (
    run bigint PRIMARY KEY,
    input bytea NOT NULL,
    context bytea NOT NULL
);

CREATE VIEW yieldwire.records AS
SELECT runs.*, heads.id, heads.seq, heads.first_seq, heads.keep, heads.lease_until,
    inputs.input, inputs.context
FROM yieldwire.heads
JOIN yieldwire.runs ON runs.n = heads.n
JOIN yieldwire.inputs ON inputs.run = heads.n;

CREATE TABLE yieldwire.blocks (
    run bigint NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    at double precision NOT NULL,  -- the time when it was written
    ending text,                   -- the type of the terminal event at the block's end
    body bytea NOT NULL,           -- one line for each event
    PRIMARY KEY (run, first)
);
-- Compressing a block would take longer than everything else that an append does.
ALTER TABLE yieldwire.blocks ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE yieldwire.readers (
    run bigint NOT NULL,
    reader text COLLATE "C" NOT NULL,
    until double precision NOT NULL,
    PRIMARY KEY (run, reader)
);

-- What others tell a run, and what its attempts leave for the next one.
CREATE TABLE yieldwire.messages (
    run bigint NOT NULL,
    number bigint NOT NULL,
    data bytea NOT NULL,
    question text,
    by text,
    key text,
    at double precision NOT NULL,
    is_timeout boolean NOT NULL,
    PRIMARY KEY (run, number)
);

CREATE TABLE yieldwire.checkpoints (
    run bigint NOT NULL,
    digest bytea NOT NULL,         -- of the name
    name text NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (run, digest)
);

-- Idempotency keys of starts that were cancelled before they arrived.
CREATE TABLE yieldwire.refusals (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key bytea NOT NULL UNIQUE,
    until double precision NOT NULL
);
CREATE INDEX refusals_until ON yieldwire.refusals (until);

CREATE TABLE yieldwire.revocations (
    n bigint PRIMARY KEY,
    owner text NOT NULL,
    at double precision NOT NULL,
    machine text NOT NULL,         -- the machine whose processes agree about the next
    monotonic double precision NOT NULL
);
CREATE INDEX revocations_at ON yieldwire.revocations (at);

-- What webhooks are told, until they have it. They outlive their runs.
CREATE TABLE yieldwire.deliveries (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text COLLATE "C" NOT NULL,
    url text NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    owner text,
    body bytea NOT NULL,
    at double precision NOT NULL,
    tries bigint NOT NULL,
    failure text,
    due_at double precision        -- nothing: given up
);
CREATE UNIQUE INDEX deliveries_id ON yieldwire.deliveries (id, hashtextextended(url, 0));
CREATE INDEX deliveries_due ON yieldwire.deliveries (due_at);
CREATE INDEX deliveries_run ON yieldwire.deliveries (run_id);
