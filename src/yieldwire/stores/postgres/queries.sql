-- lock: wait until no other transaction holds one of these numbers, in their order
SELECT pg_advisory_xact_lock(number) FROM unnest(%(numbers)s::bigint[]) AS number

-- admission: what a new run meets
SELECT %(wall)s AS wall,
    known.id AS key_run, known.fingerprint AS key_fingerprint,
    EXISTS (SELECT FROM yieldwire.refusals WHERE key = %(key)s) AS is_refused,
    (SELECT id FROM yieldwire.records
     WHERE feed = %(feed)s AND ended_at IS NULL AND cancel_reason IS NULL) AS feed_run,
    live.every, live.same
FROM (
    SELECT count(*) AS every, count(*) FILTER (WHERE action = %(action)s) AS same
    FROM yieldwire.runs
    WHERE hashtextextended(quota_key, 0) = hashtextextended(%(quota_key)s::text, 0)
    AND quota_key = %(quota_key)s AND ended_at IS NULL
) AS live
LEFT JOIN yieldwire.records AS known ON known.key = %(key)s

-- insert_run: create a run
WITH head AS (
    INSERT INTO yieldwire.heads (id, keep, writer, lease_until)
    VALUES (%(id)s, %(keep)s, %(writer)s, %(now)s + %(lease)s::double precision)
    RETURNING n
), given AS (
    INSERT INTO yieldwire.inputs (run, input, context)
    SELECT n, %(input)s::bytea, %(context)s::bytea FROM head
)
INSERT INTO yieldwire.runs (
    n, key, fingerprint, feed, action, quota_key, owner, labels, linger, detached, timeout, retries,
    retention, webhooks, question_webhooks, queue, priority, not_before, is_waiting, parent, status,
    fence, attempt, saved_seq, cancel_reason, created_at, started_at, ended_at, read_until
) VALUES (
    (SELECT n FROM head), %(key)s, %(fingerprint)s, %(feed)s, %(action)s, %(quota_key)s, %(owner)s,
    %(labels)s, %(linger)s, %(detached)s, %(timeout)s, %(retries)s, %(retention)s, %(webhooks)s,
    %(question_webhooks)s, %(queue)s, %(priority)s, %(not_before)s, %(is_waiting)s, %(parent)s,
    %(status)s, %(fence)s, %(attempt)s, %(saved_seq)s, %(cancel_reason)s,
    %(created_at)s, %(started_at)s, %(ended_at)s, %(now)s + %(arrival)s::double precision
)

-- record: one run
SELECT * FROM yieldwire.records WHERE id = %(id)s

-- step: one run, to be changed
SELECT *, %(wall)s AS wall, %(now)s AS now FROM yieldwire.records WHERE id = %(id)s
FOR NO KEY UPDATE

-- record_by_key: the run of an idempotency key
SELECT * FROM yieldwire.records WHERE key = %(key)s

-- keep: write the changes of a step, and its block if there is one
WITH head AS (
    UPDATE yieldwire.heads
    SET writer = %(writer)s, seq = %(seq)s, lease_until = %(lease_until)s
    WHERE n = %(n)s
), block AS (
    INSERT INTO yieldwire.blocks (run, first, last, at, ending, body)
    SELECT %(n)s, %(first)s::bigint, %(seq)s, %(at)s::double precision, %(ending)s::text,
        %(body)s::bytea
    WHERE %(body)s::bytea IS NOT NULL
)
UPDATE yieldwire.runs SET
    status = %(status)s, fence = %(fence)s, attempt = %(attempt)s, saved_seq = %(saved_seq)s,
    not_before = %(not_before)s, is_waiting = %(is_waiting)s,
    cancel_reason = %(cancel_reason)s, started_at = %(started_at)s, ended_at = %(ended_at)s,
    expires_at = CASE WHEN %(ended_at)s::double precision IS NOT NULL THEN %(now)s + retention END
WHERE n = %(n)s

-- put_blocks: append many blocks, each of another run
WITH moved AS (
    UPDATE yieldwire.heads SET seq = put.last
    FROM unnest(
        %(ids)s::text[], %(fences)s::bigint[], %(afters)s::bigint[], %(lasts)s::bigint[],
        %(ats)s::double precision[], %(bodies)s::bytea[]
    ) AS put (id, fence, after, last, at, body)
    WHERE heads.id = put.id AND heads.writer = put.fence AND heads.seq = put.after
    AND (heads.keep IS NULL OR put.last - heads.first_seq < heads.keep)
    RETURNING heads.n, heads.id, heads.first_seq, put.after, put.last, put.at, put.body
), block AS (
    INSERT INTO yieldwire.blocks (run, first, last, at, body)
    SELECT n, after + 1, last, at, body FROM moved
)
SELECT id, first_seq FROM moved

-- trim: delete whole blocks from a log's beginning, as long as the newest events remain
WITH oldest AS (
    SELECT max(first) AS first FROM yieldwire.blocks WHERE run = %(n)s AND first <= %(seq)s
), gone AS (
    DELETE FROM yieldwire.blocks USING oldest WHERE run = %(n)s AND blocks.first < oldest.first
)
UPDATE yieldwire.heads SET first_seq = oldest.first FROM oldest
WHERE n = %(n)s
RETURNING oldest.first

-- pages: the logs of many runs, each after a seq from the block that it cuts, up to a size
SELECT asked.place, heads.seq, page.first, page.last, page.at, page.ending, page.body
FROM unnest(%(ids)s::text[], %(afters)s::bigint[], %(sizes)s::bigint[])
    WITH ORDINALITY AS asked (id, after, size, place)
JOIN yieldwire.heads ON heads.id = asked.id
LEFT JOIN LATERAL (
    SELECT * FROM (
        SELECT *, sum(octet_length(body)) OVER (ORDER BY first) - octet_length(body) AS before
        FROM (
            SELECT first, last, at, ending, body FROM yieldwire.blocks
            WHERE run = heads.n AND first >= (
                SELECT coalesce(max(first), 0) FROM yieldwire.blocks
                WHERE run = heads.n AND first <= asked.after + 1
            )
            ORDER BY first LIMIT %(most)s
        ) AS block
    ) AS sized
    WHERE before < asked.size
) AS page ON asked.after < heads.seq
ORDER BY asked.place, page.first

-- blocks: the log after a seq, from the block that it cuts
SELECT first, last, at, ending, body FROM yieldwire.blocks
WHERE run = %(n)s AND first >= (
    SELECT coalesce(max(first), 0) FROM yieldwire.blocks
    WHERE run = %(n)s AND first <= %(after)s + 1
)
AND first <= %(last)s
ORDER BY first

-- heads: the last seqs of unfinished runs
SELECT heads.id, heads.seq FROM unnest(%(ids)s::text[]) AS asked (id)
JOIN yieldwire.heads ON heads.id = asked.id
JOIN yieldwire.runs ON runs.n = heads.n AND runs.ended_at IS NULL

-- inbox_heads: the numbers of the newest messages to unfinished runs
SELECT heads.id, (
    SELECT coalesce(max(number), 0) FROM yieldwire.messages WHERE run = heads.n
) AS seq
FROM unnest(%(ids)s::text[]) AS asked (id)
JOIN yieldwire.heads ON heads.id = asked.id
JOIN yieldwire.runs ON runs.n = heads.n AND runs.ended_at IS NULL

-- renew_leases: the heartbeats of many runs
UPDATE yieldwire.heads SET lease_until = %(now)s + beat.lease
FROM unnest(%(ids)s::text[], %(fences)s::bigint[], %(leases)s::double precision[])
    AS beat (id, fence, lease), yieldwire.runs
WHERE heads.id = beat.id AND heads.writer = beat.fence AND runs.n = heads.n
RETURNING heads.id, beat.fence, runs.cancel_reason

-- asked_to_stop: those of these runs that are unfinished and must be cancelled
SELECT heads.id, runs.cancel_reason FROM unnest(%(ids)s::text[]) AS asked (id)
JOIN yieldwire.heads ON heads.id = asked.id
JOIN yieldwire.runs ON runs.n = heads.n
WHERE runs.cancel_reason IS NOT NULL AND runs.ended_at IS NULL

-- waiting: the first run in some queues, of each action, caller and priority
SELECT action, quota_key, priority, min(n) AS number FROM yieldwire.runs
WHERE is_waiting AND queue = ANY(%(queues)s) AND coalesce(not_before <= %(wall)s, true)
GROUP BY action, quota_key, priority

-- taken: how many runs in queues are taken or running, by action and caller
SELECT action, quota_key, count(*) AS count FROM yieldwire.runs
WHERE queue IS NOT NULL AND ended_at IS NULL AND NOT is_waiting
GROUP BY action, quota_key

-- line: the runs that wait in a queue, by caller and priority
SELECT quota_key AS caller, priority, count(*) AS size, min(n) AS first FROM yieldwire.runs
WHERE is_waiting AND queue = %(queue)s AND coalesce(not_before <= %(wall)s, true)
GROUP BY quota_key, priority

-- places: those of some runs that wait in a queue, and how many of their caller and priority are
-- before each
SELECT heads.id, caller, priority, n AS number, rank FROM (
    SELECT n, quota_key AS caller, priority,
        row_number() OVER (PARTITION BY quota_key, priority ORDER BY n) - 1 AS rank
    FROM yieldwire.runs
    WHERE is_waiting AND queue = %(queue)s AND coalesce(not_before <= %(wall)s, true)
) AS line JOIN yieldwire.heads USING (n)
WHERE heads.id = ANY(%(ids)s)

-- waits_since: since when a run has waited
SELECT greatest(created_at, not_before) AS since FROM yieldwire.runs WHERE n = %(n)s

-- take: give a waiting run to a worker
WITH head AS (
    UPDATE yieldwire.heads SET lease_until = %(now)s + %(lease)s::double precision
    WHERE n = %(n)s
)
UPDATE yieldwire.runs SET is_waiting = false WHERE n = %(n)s

-- run_by_number: one run, if it still waits
SELECT * FROM yieldwire.records WHERE n = %(n)s AND is_waiting FOR NO KEY UPDATE

-- inbox: what a message to a run meets there
SELECT runs.n, runs.ended_at IS NOT NULL AS has_ended, %(wall)s AS wall,
    coalesce(max(number), 0) AS last,
    count(*) FILTER (WHERE NOT is_timeout) AS count,
    coalesce(sum(octet_length(data)) FILTER (WHERE NOT is_timeout), 0)::bigint AS size
FROM yieldwire.heads
JOIN yieldwire.runs ON runs.n = heads.n
LEFT JOIN yieldwire.messages ON messages.run = heads.n
WHERE heads.id = %(id)s
GROUP BY runs.n, runs.ended_at

-- lock_run: let no other transaction change a run until this one ends
SELECT n FROM yieldwire.heads WHERE id = %(id)s FOR NO KEY UPDATE

-- known_messages: those with the same key, or to the same question
SELECT number, data, question, by, key, at, is_timeout FROM yieldwire.messages
WHERE run = (SELECT n FROM yieldwire.heads WHERE id = %(id)s)
AND (key = %(key)s OR question = %(question)s)

-- insert_message: accept a message
INSERT INTO yieldwire.messages (run, number, data, question, by, key, at, is_timeout)
VALUES (
    %(n)s, %(number)s, %(data)s, %(question)s, %(by)s, %(key)s, %(at)s, %(is_timeout)s
)

-- messages_behind: the messages after a number; one row without a number if there is none
SELECT messages.number, data, question, by, key, at, is_timeout
FROM yieldwire.heads
LEFT JOIN yieldwire.messages ON messages.run = heads.n AND messages.number > %(after)s
WHERE heads.id = %(id)s ORDER BY messages.number

-- save: keep a checkpoint, if the run's writer asks for it and the log has the seq
WITH head AS (
    SELECT n FROM yieldwire.heads
    WHERE id = %(id)s AND writer = %(fence)s AND seq >= %(seq)s FOR NO KEY UPDATE
), saved AS (
    INSERT INTO yieldwire.checkpoints (run, digest, name, data)
    SELECT n, %(digest)s, %(name)s, %(data)s FROM head
    ON CONFLICT (run, digest) DO UPDATE SET data = excluded.data
), place AS (
    UPDATE yieldwire.runs SET saved_seq = %(seq)s FROM head
    WHERE runs.n = head.n AND %(is_place)s
)
SELECT n FROM head

-- saved: the checkpoints of a run; one row without a name if there is none
SELECT name, data FROM yieldwire.heads
LEFT JOIN yieldwire.checkpoints ON checkpoints.run = heads.n
WHERE heads.id = %(id)s

-- hold: readers are present
INSERT INTO yieldwire.readers (run, reader, until)
SELECT heads.n, held.reader, %(now)s + held.seconds
FROM unnest(%(ids)s::text[], %(readers)s::text[], %(seconds)s::double precision[])
    AS held (id, reader, seconds)
JOIN yieldwire.heads ON heads.id = held.id
ORDER BY heads.n, held.reader
ON CONFLICT (run, reader) DO UPDATE SET until = excluded.until

-- leave: readers have left, and the runs were read until now; somebody else can just have joined
-- the readers of a feed
WITH gone AS (
    SELECT heads.n, held.reader
    FROM unnest(%(ids)s::text[], %(readers)s::text[]) AS held (id, reader)
    JOIN yieldwire.heads ON heads.id = held.id
), left_behind AS (
    DELETE FROM yieldwire.readers USING gone WHERE run = gone.n AND readers.reader = gone.reader
)
UPDATE yieldwire.runs SET read_until = CASE
    WHEN feed IS NULL THEN %(now)s ELSE greatest(read_until, %(now)s)
END
FROM (SELECT DISTINCT n FROM gone) AS one WHERE runs.n = one.n

-- touch: somebody joins the readers of a run
UPDATE yieldwire.runs
SET read_until = greatest(read_until, %(now)s + %(arrival)s::double precision)
WHERE n = (SELECT n FROM yieldwire.heads WHERE id = %(id)s)

-- is_due: whether a sweep has something to do
SELECT EXISTS (SELECT FROM yieldwire.heads WHERE lease_until < %(now)s)
OR EXISTS (SELECT FROM yieldwire.refusals WHERE until <= %(now)s)
OR EXISTS (SELECT FROM yieldwire.revocations WHERE at < extract(epoch FROM clock_timestamp()) - %(kept)s::double precision)
OR EXISTS (
    SELECT FROM yieldwire.runs
    WHERE ended_at IS NULL AND NOT detached AND linger IS NOT NULL AND cancel_reason IS NULL
    AND %(now)s - read_until > linger
    AND NOT EXISTS (
        SELECT FROM yieldwire.readers WHERE run = runs.n AND %(now)s - until <= runs.linger
    )
) AS is_due

-- lost: runs whose lease ran out, to be changed
SELECT *, %(wall)s AS wall, %(now)s AS now FROM yieldwire.records
WHERE lease_until < %(now)s ORDER BY lease_until LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED

-- forsaken: runs that need readers and have had none for longer than their linger, to be changed
SELECT *, %(wall)s AS wall, %(now)s AS now FROM yieldwire.records
WHERE ended_at IS NULL AND NOT detached AND linger IS NOT NULL AND cancel_reason IS NULL
AND %(now)s - read_until > linger
AND NOT EXISTS (
    SELECT FROM yieldwire.readers WHERE run = records.n AND %(now)s - until <= records.linger
)
ORDER BY n LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED

-- has_expired: whether a run is past its retention
SELECT EXISTS (SELECT FROM yieldwire.runs WHERE expires_at <= %(now)s) AS has_expired

-- expired: runs past their retention
SELECT n, id FROM yieldwire.records WHERE expires_at <= %(now)s
ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED

-- forget_runs: delete runs with all that they have, but not what webhooks are told
WITH gone AS (DELETE FROM yieldwire.heads WHERE n = ANY(%(ns)s)),
    runs AS (DELETE FROM yieldwire.runs WHERE n = ANY(%(ns)s)),
    inputs AS (DELETE FROM yieldwire.inputs WHERE run = ANY(%(ns)s)),
    readers AS (DELETE FROM yieldwire.readers WHERE run = ANY(%(ns)s)),
    messages AS (DELETE FROM yieldwire.messages WHERE run = ANY(%(ns)s)),
    checkpoints AS (DELETE FROM yieldwire.checkpoints WHERE run = ANY(%(ns)s))
DELETE FROM yieldwire.blocks WHERE run = ANY(%(ns)s)

-- runs_of_keys: the runs of idempotency keys
SELECT * FROM yieldwire.records WHERE key = ANY(%(keys)s)

-- refuse: refuse idempotency keys, and keep a limited number
WITH refused AS (
    INSERT INTO yieldwire.refusals (key, until)
    SELECT key, %(now)s + seconds
    FROM unnest(%(keys)s::bytea[], %(seconds)s::double precision[]) AS refused (key, seconds)
    ON CONFLICT (key) DO UPDATE SET until = greatest(refusals.until, excluded.until)
    RETURNING n
)
DELETE FROM yieldwire.refusals WHERE n <= (SELECT max(n) FROM refused) - %(most)s

-- forget_old_refusals: delete refused keys whose time is over
DELETE FROM yieldwire.refusals WHERE until <= %(now)s

-- revoke: record that the access of owners was revoked, and keep a limited number
WITH counted AS (
    UPDATE yieldwire.about SET revocations = revocations + cardinality(%(owners)s::text[])
    RETURNING revocations AS newest
), old AS (
    DELETE FROM yieldwire.revocations USING counted WHERE n <= counted.newest - %(most)s
)
INSERT INTO yieldwire.revocations (n, owner, at, machine, monotonic)
SELECT counted.newest - cardinality(%(owners)s::text[]) + place, owner,
    extract(epoch FROM clock_timestamp()), %(machine)s, monotonic
FROM counted, unnest(%(owners)s::text[], %(monotonics)s::double precision[])
    WITH ORDINALITY AS revoked (owner, monotonic, place)

-- revoked: the newest number, and the owners whose access was revoked after a number: when by the
-- clock of this machine, or how long ago
SELECT about.revocations AS last, owner, count(n) AS times,
    max(monotonic) FILTER (WHERE machine = %(machine)s) AS at,
    min(extract(epoch FROM clock_timestamp())::double precision - at)
        FILTER (WHERE machine <> %(machine)s) AS age
FROM yieldwire.about LEFT JOIN yieldwire.revocations ON n > %(since)s
GROUP BY about.revocations, owner

-- forget_old_revocations: delete those that no process needs any more
DELETE FROM yieldwire.revocations
WHERE at < extract(epoch FROM clock_timestamp()) - %(kept)s::double precision

-- post: create a delivery, unless it is there
INSERT INTO yieldwire.deliveries (id, url, run_id, owner, body, at, tries, failure, due_at)
VALUES (
    %(id)s, %(url)s, %(run_id)s, %(owner)s, %(body)s, %(at)s, %(tries)s, %(failure)s, %(now)s
)
ON CONFLICT (id, hashtextextended(url, 0)) DO NOTHING

-- claim_deliveries: begin a try of those that are due, the one that is due longest first
WITH due AS (
    SELECT n, due_at FROM yieldwire.deliveries
    WHERE due_at <= %(now)s AND NOT url = ANY(%(without)s)
    ORDER BY due_at, n LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE yieldwire.deliveries SET tries = tries + 1, due_at = %(now)s + %(lease)s::double precision
    FROM due WHERE deliveries.n = due.n
    RETURNING deliveries.*, due.due_at AS was_due
)
SELECT * FROM claimed ORDER BY was_due, n

-- delete_delivery: it was delivered
DELETE FROM yieldwire.deliveries WHERE id = %(id)s AND url = %(url)s

-- retry_delivery: record why a try failed, and when the next one is due, if there is one
UPDATE yieldwire.deliveries
SET failure = %(failure)s, due_at = %(now)s + %(again_in)s::double precision
WHERE id = %(id)s AND url = %(url)s AND tries = %(tries)s

-- dead_letters: deliveries that were given up
SELECT * FROM yieldwire.deliveries WHERE due_at IS NULL ORDER BY n DESC LIMIT %(limit)s

-- deliveries_of_run: those about one run, and when they are due
SELECT *, greatest(0, due_at - %(now)s) AS again_in FROM yieldwire.deliveries
WHERE run_id = %(id)s

-- forget_dead_letters: keep a limited number of them
DELETE FROM yieldwire.deliveries WHERE due_at IS NULL AND n <= (
    SELECT n FROM yieldwire.deliveries WHERE due_at IS NULL ORDER BY n DESC LIMIT 1 OFFSET %(most)s
)

-- forget_deliveries: delete the deliveries of a run
DELETE FROM yieldwire.deliveries WHERE run_id = %(id)s

-- notify: tell other processes what is new
SELECT pg_notify(%(channel)s, payload) FROM unnest(%(payloads)s::text[]) AS payload
