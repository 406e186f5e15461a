-- insert_run: create a run; :names and :values are replaced by those of the columns that it has
INSERT INTO runs (:names) VALUES (:values)

-- insert_input: store the input of a new run
INSERT INTO inputs (run, input, context) VALUES (?, ?, ?)

-- run_by_id: one run
SELECT * FROM records WHERE id = :id

-- run_by_key: the run of an idempotency key
SELECT * FROM records WHERE key = :key

-- run_by_feed: the run of a shared feed
SELECT * FROM records WHERE feed = :feed AND ended_at IS NULL AND cancel_reason IS NULL

-- count_live: how many unfinished runs a caller has, and how many of them are of one action
SELECT count(*) AS every, coalesce(sum(action = :action), 0) AS same
FROM runs WHERE quota_key = :quota_key AND ended_at IS NULL

-- update_run: write the changes of a step
UPDATE runs SET
    status = :status, fence = :fence, attempt = :attempt,
    cancel_reason = :cancel_reason, started_at = :started_at, ended_at = :ended_at,
    not_before = :not_before, lease_until = :lease_until, expires_at = :expires_at
WHERE n = :n

-- waiting: the first run in some queues, of each action, caller and priority
SELECT action, quota_key, priority, min(n) FROM runs
WHERE queue IN (SELECT value FROM json_each(:queues))
AND status = 'pending' AND lease_until IS NULL AND queue IS NOT NULL
AND coalesce(not_before <= :now, 1)
GROUP BY action, quota_key, priority

-- taken: how many runs in queues are taken or running, by action and caller
SELECT action, quota_key, count(*) AS count FROM runs
WHERE queue IS NOT NULL AND ended_at IS NULL AND (status = 'running' OR lease_until IS NOT NULL)
GROUP BY action, quota_key

-- line: the runs that wait in a queue, by caller and priority
SELECT quota_key, priority, count(*), min(n) FROM runs
WHERE queue = :queue AND status = 'pending' AND lease_until IS NULL AND queue IS NOT NULL
AND coalesce(not_before <= :now, 1)
GROUP BY quota_key, priority

-- places: those of the runs in a JSON array that wait in a queue, and how many of their caller and
-- priority are before each
SELECT runs.id, quota_key, priority, n, rank FROM (
    SELECT n, row_number() OVER (PARTITION BY quota_key, priority ORDER BY n) - 1 AS rank
    FROM runs
    WHERE queue = :queue AND status = 'pending' AND lease_until IS NULL AND queue IS NOT NULL
    AND coalesce(not_before <= :now, 1)
) JOIN runs USING (n)
WHERE runs.id IN (SELECT value FROM json_each(:ids))

-- waits_since: since when a run has waited
SELECT max(created_at, coalesce(not_before, 0)) AS since FROM runs WHERE n = :n

-- take: give a waiting run to a worker
UPDATE runs SET lease_until = :until WHERE n = :n

-- run_by_number: one run
SELECT * FROM records WHERE n = :n

-- head: what an append needs to know
SELECT * FROM heads WHERE id = :id

-- heads: the last seqs of the unfinished runs in a JSON array
SELECT heads.id, heads.seq
FROM json_each(:ids) AS asked CROSS JOIN runs ON runs.id = asked.value
CROSS JOIN heads ON heads.n = runs.n
WHERE runs.ended_at IS NULL

-- insert_block: append a block to the log
INSERT INTO blocks (run, previous, first, last, ending, body, at)
SELECT run, newest, :first, :last, :ending, :body, :at FROM logs WHERE run = :run

-- put_blocks: append many blocks, each of another run; :rows is replaced by as many rows
INSERT OR FAIL INTO blocks (run, previous, first, last, ending, body, at)
WITH puts (id, fence, after, last, ending, body, at) AS (VALUES :rows)
SELECT heads.n, heads.newest, puts.after + 1, puts.last, CASE WHEN puts.ending <> ''
    THEN puts.ending END, puts.body, puts.at
FROM puts CROSS JOIN heads ON heads.id = puts.id
WHERE heads.fence = puts.fence AND heads.seq = puts.after AND heads.status = 'running'
AND (heads.keep IS NULL OR heads.keep >= puts.last)
AND (puts.ending = '' OR heads.webhooks IS NULL)

-- end_runs: end runs, each with its id, status and time, and the time from which it is kept
UPDATE runs SET status = ends.column2, ended_at = ends.column3, lease_until = NULL,
    expires_at = ends.column4 + retention
FROM (VALUES :rows) AS ends WHERE id = ends.column1

-- claim_runs: claim runs, each with its id and fence, and its new fence, time and lease
UPDATE runs SET status = 'running', attempt = attempt + 1, fence = claims.column3,
    started_at = claims.column4, lease_until = claims.column5
FROM (VALUES :rows) AS claims
WHERE id = claims.column1 AND fence = claims.column2 AND status = 'pending'

-- blocks_behind: the next blocks of a log, from the one that a seq cuts to the next in the index
WITH RECURSIVE behind (id, previous, first) AS (
    SELECT id, previous, first FROM blocks WHERE id = coalesce((
        SELECT previous FROM block_index CROSS JOIN blocks ON id = block
        WHERE block_index.run = :run AND block_index.first > :after + 1
        ORDER BY block_index.first LIMIT 1
    ), (SELECT newest FROM logs WHERE run = :run))
    UNION ALL
    SELECT blocks.id, blocks.previous, blocks.first
    FROM behind CROSS JOIN blocks ON blocks.id = behind.previous WHERE behind.first > :after + 1
)
SELECT id, blocks.first, last, ending, body, at FROM behind CROSS JOIN blocks USING (id)
WHERE last > :after ORDER BY blocks.first

-- block_with: the block that has a seq
WITH RECURSIVE behind (id, previous, first) AS (
    SELECT id, previous, first FROM blocks WHERE id = coalesce((
        SELECT previous FROM block_index CROSS JOIN blocks ON id = block
        WHERE block_index.run = :run AND block_index.first > :seq
        ORDER BY block_index.first LIMIT 1
    ), (SELECT newest FROM logs WHERE run = :run))
    UNION ALL
    SELECT blocks.id, blocks.previous, blocks.first
    FROM behind CROSS JOIN blocks ON blocks.id = behind.previous WHERE behind.first > :seq
)
SELECT id, first FROM behind ORDER BY first LIMIT 1

-- trim: delete the blocks before one
DELETE FROM blocks WHERE id IN (
    WITH RECURSIVE old (id) AS (
        SELECT previous FROM blocks WHERE id = :block
        UNION ALL SELECT previous FROM old CROSS JOIN blocks USING (id)
    ) SELECT id FROM old
)

-- trim_index: delete what the index has of deleted blocks
DELETE FROM block_index WHERE run = :run AND first < :first

-- trim_log: say where a log begins
UPDATE logs SET first_seq = :first WHERE run = :run

-- inbox: what a message to a run meets there
SELECT n, ended_at IS NOT NULL AS has_ended,
    (SELECT coalesce(max(number), 0) FROM messages WHERE run = n) AS last,
    (SELECT count(*) FROM messages WHERE run = n AND NOT is_timeout) AS count,
    (SELECT coalesce(sum(length(data)), 0) FROM messages WHERE run = n AND NOT is_timeout) AS size
FROM runs WHERE id = :id

-- message_by_key: the message of an idempotency key
SELECT number, data, question, by, key, at, is_timeout FROM messages
WHERE run = :run AND key = :key

-- message_by_question: the message that answers a question
SELECT number, data, question, by, key, at, is_timeout FROM messages
WHERE run = :run AND question = :question

-- insert_message: accept a message
INSERT INTO messages (run, number, data, question, by, key, at, is_timeout)
VALUES (:run, :number, :data, :question, :by, :key, :at, :is_timeout)

-- messages_behind: the messages after a number
SELECT number, data, question, by, key, at, is_timeout FROM messages
WHERE run = :run AND number > :after ORDER BY number

-- inbox_heads: the numbers of the newest messages to the unfinished runs in a JSON array
SELECT runs.id, (SELECT coalesce(max(number), 0) FROM messages WHERE run = runs.n)
FROM json_each(:ids) AS asked CROSS JOIN runs ON runs.id = asked.value
WHERE runs.ended_at IS NULL

-- save_place: check the right to save, and set the run's saved place if one is given
UPDATE runs SET saved_seq = coalesce(:seq, saved_seq)
WHERE id = :id AND fence = :fence AND status = 'running'
AND coalesce(:seq <= (SELECT heads.seq FROM heads WHERE heads.n = runs.n), 1)
RETURNING n

-- save: keep a checkpoint
INSERT INTO checkpoints (run, name, data) VALUES (:run, :name, :data)
ON CONFLICT (run, name) DO UPDATE SET data = excluded.data

-- saved: the checkpoints of a run
SELECT name, data FROM checkpoints WHERE run = :run

-- renew_lease: a heartbeat
UPDATE runs SET lease_until = :until WHERE id = :id AND fence = :fence AND status = 'running'
RETURNING cancel_reason

-- asked_to_stop: those of the runs in a JSON array that are unfinished and must be cancelled
SELECT runs.id, cancel_reason
FROM json_each(:ids) AS asked CROSS JOIN runs ON runs.id = asked.value
WHERE cancel_reason IS NOT NULL AND ended_at IS NULL

-- lost: runs whose lease ran out
SELECT id FROM runs WHERE ended_at IS NULL AND lease_until < :now

-- forsaken: runs that need readers and have had none for longer than their linger
SELECT id FROM runs
WHERE ended_at IS NULL AND NOT detached AND linger IS NOT NULL AND cancel_reason IS NULL
AND :now - read_until > linger
AND NOT EXISTS (SELECT 1 FROM readers WHERE run = runs.n AND :now - until <= linger)

-- hold: a reader is present
INSERT INTO readers (run, reader, until) SELECT n, :reader, :until FROM runs WHERE id = :id
ON CONFLICT (run, reader) DO UPDATE SET until = excluded.until

-- leave: a reader has left
DELETE FROM readers WHERE reader = :reader AND run = (SELECT n FROM runs WHERE id = :id)

-- touch: somebody joins the readers of a run
UPDATE runs SET read_until = max(read_until, :until) WHERE id = :id

-- read: a run was read until now; of a feed, somebody else can just have joined the readers
UPDATE runs SET read_until = iif(feed IS NULL, :now, max(read_until, :now)) WHERE id = :id

-- expired: runs past their retention
SELECT n, id FROM runs WHERE expires_at <= :now LIMIT 500

-- forget_blocks: delete the blocks of a log
DELETE FROM blocks WHERE id IN (
    WITH RECURSIVE old (id) AS (
        SELECT newest FROM logs WHERE run = :run
        UNION ALL SELECT previous FROM old CROSS JOIN blocks USING (id)
    ) SELECT id FROM old
)

-- forget_input: delete the input of a run
DELETE FROM inputs WHERE run = :run

-- forget_readers: delete a run's readers
DELETE FROM readers WHERE run = :run

-- forget_run: delete a run, and what else has its number
DELETE FROM runs WHERE n = :run

-- restart_clock: the machine was restarted, so its clock starts over; the wall clock says how
-- much of a retention is left
UPDATE runs SET
    lease_until = CASE WHEN lease_until IS NULL THEN NULL
                  WHEN attempt = 0 AND queue IS NULL AND not_before > :wall
                  THEN :now + not_before - :wall
                  ELSE :now - 1 END,
    read_until = :now,
    expires_at = CASE WHEN ended_at IS NULL THEN NULL
                 ELSE :now + max(0, ended_at + retention - :wall) END

-- forget_every_reader: nobody has been reading since before the machine's restart
DELETE FROM readers

-- refused: whether an idempotency key is refused
SELECT 1 FROM refusals WHERE key = :key

-- refuse: refuse an idempotency key
INSERT INTO refusals (key, seconds, until) VALUES (:key, :seconds, :until)
ON CONFLICT (key) DO UPDATE SET until = max(until, excluded.until), seconds = excluded.seconds

-- forget_refusals: keep a limited number of refused keys
DELETE FROM refusals WHERE n <= (SELECT max(n) FROM refusals) - :most

-- old_refusals: refused keys whose time is over
SELECT n FROM refusals WHERE until <= :now LIMIT 1

-- forget_old_refusals: delete refused keys whose time is over
DELETE FROM refusals WHERE until <= :now

-- restart_refusals: the machine's clock restarted, so their time does too
UPDATE refusals SET until = :now + seconds

-- revoke: record that an owner's access was revoked
INSERT INTO revocations (owner, at) VALUES (:owner, :at)

-- forget_revocations: keep a limited number of them
DELETE FROM revocations WHERE n <= :oldest

-- last_revocation: the number of the newest revocation ever
SELECT coalesce(max(seq), 0) AS last FROM sqlite_sequence WHERE name = 'revocations'

-- revoked: owners whose access was revoked after a number
SELECT owner, max(at) AS at, count(*) AS times FROM revocations WHERE n > :since GROUP BY owner

-- old_revocations: those that no process needs any more
SELECT n FROM revocations WHERE at < :before ORDER BY n DESC LIMIT 1

-- forget_every_revocation: no connection survives the machine's restart
DELETE FROM revocations

-- insert_delivery: create a delivery, unless it is there
INSERT INTO deliveries (id, url, run_id, owner, body, at, tries, failure, due_at)
VALUES (:id, :url, :run_id, :owner, :body, :at, :tries, :failure, :due_at)
ON CONFLICT (id, url) DO NOTHING

-- due_deliveries: those to send, the one that is due longest first
SELECT n FROM deliveries
WHERE due_at <= :now AND url NOT IN (SELECT value FROM json_each(:without))
ORDER BY due_at LIMIT :limit

-- claim_delivery: begin a try
UPDATE deliveries SET tries = tries + 1, due_at = :until WHERE n = :n RETURNING *

-- delete_delivery: it was delivered
DELETE FROM deliveries WHERE id = :id AND url = :url

-- retry_delivery: record why a try failed, and when the next one is due, if there is one
UPDATE deliveries SET failure = :failure, due_at = :due_at
WHERE id = :id AND url = :url AND tries = :tries

-- deliveries_of_run: those about one run
SELECT * FROM deliveries WHERE run_id = :id

-- dead_letters: deliveries that were given up
SELECT * FROM deliveries WHERE due_at IS NULL ORDER BY n DESC LIMIT :limit

-- forget_dead_letters: keep a limited number of them
DELETE FROM deliveries WHERE due_at IS NULL AND n <= (
    SELECT n FROM deliveries WHERE due_at IS NULL ORDER BY n DESC LIMIT 1 OFFSET :most
)

-- forget_deliveries: delete the deliveries of a run
DELETE FROM deliveries WHERE run_id = :id

-- restart_deliveries: the machine's clock restarted, so all of them are due
UPDATE deliveries SET due_at = :now WHERE due_at IS NOT NULL
