-- Queues, in which runs wait for a worker.

ALTER TABLE runs ADD COLUMN queue TEXT;
ALTER TABLE runs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN not_before REAL;         -- since the epoch

-- Pending runs without a lease wait; all others are taken. Both indexes answer by themselves.
CREATE INDEX runs_waiting ON runs (queue, action, quota_key, priority, n, not_before)
WHERE queue IS NOT NULL AND status = 'pending' AND lease_until IS NULL;
CREATE INDEX runs_taken ON runs (action, quota_key)
WHERE queue IS NOT NULL AND ended_at IS NULL AND (status = 'running' OR lease_until IS NOT NULL);
