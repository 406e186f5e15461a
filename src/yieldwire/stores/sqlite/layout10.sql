-- Logs whose appends change few pages, however many logs there are and however long they are.

DROP VIEW records;
DROP VIEW heads;
ALTER TABLE blocks RENAME TO old_blocks;

-- Small rows, as each append changes one: those of hundreds of logs are on one page.
CREATE TABLE logs (
    run INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL DEFAULT 0,
    first_seq INTEGER NOT NULL DEFAULT 1,
    newest INTEGER NOT NULL DEFAULT 0, -- the id of its newest block; 0: it has none
    unindexed INTEGER NOT NULL DEFAULT 0 -- blocks since its newest one in the index, with that one
);

-- In the order of writing, so that what many logs append at the same time is on the same pages.
-- In an index of all blocks, each log would have pages of its own. So each block has the id of
-- the one before it, and only one of sixteen is in the index.
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    previous INTEGER NOT NULL,    -- the id of the log's block before it, which can be deleted; or 0
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    ending TEXT,                  -- the type of the terminal event at the block's end
    body BLOB NOT NULL,           -- one line for each event
    at REAL NOT NULL              -- the time when it was written, since the epoch
);
INSERT INTO blocks SELECT id, run, before, first, last, ending, body, at
FROM (
    SELECT rowid AS id, coalesce(lag(rowid) OVER (PARTITION BY run ORDER BY first), 0) AS before
    FROM old_blocks ORDER BY rowid
) CROSS JOIN old_blocks ON old_blocks.rowid = id;

-- A table, as an index cannot say which block of a log is the sixteenth.
CREATE TABLE block_index (
    run INTEGER NOT NULL,
    first INTEGER NOT NULL,
    block INTEGER NOT NULL,
    PRIMARY KEY (run, first)
) WITHOUT ROWID;
INSERT INTO block_index SELECT run, first, id
FROM (
    SELECT id, run, first, length(body) AS size,
        row_number() OVER (PARTITION BY run ORDER BY first) AS number
    FROM blocks
)
WHERE number % 16 = 1 OR size >= 4096;

INSERT INTO logs (run, seq, first_seq, newest)
SELECT n, coalesce(max(last), 0), coalesce(min(first), 1), coalesce(max(blocks.id), 0)
FROM runs LEFT JOIN blocks ON run = n GROUP BY n;
DROP TABLE old_blocks;

CREATE TRIGGER runs_log AFTER INSERT ON runs BEGIN
    INSERT INTO logs (run) VALUES (new.n);
END;

-- Large blocks are in the index too, so that nobody reads several of them to find one.
CREATE TRIGGER blocks_log AFTER INSERT ON blocks BEGIN
    INSERT INTO block_index SELECT new.run, new.first, new.id FROM logs
    WHERE run = new.run AND (unindexed = 0 OR length(new.body) >= 4096);
    UPDATE logs SET seq = new.last, newest = new.id,
        unindexed = CASE WHEN length(new.body) >= 4096 THEN 1 ELSE (unindexed + 1) % 16 END
    WHERE run = new.run;
END;

CREATE TRIGGER runs_forget_log AFTER DELETE ON runs BEGIN
    DELETE FROM block_index WHERE run = old.n;
    DELETE FROM logs WHERE run = old.n;
END;

CREATE VIEW heads AS
SELECT n, id, status, fence, keep, webhooks, seq, first_seq, newest
FROM runs CROSS JOIN logs ON run = n;

CREATE VIEW records AS
SELECT runs.*, seq, first_seq, input, context
FROM runs CROSS JOIN logs ON logs.run = n CROSS JOIN inputs ON inputs.run = n;
