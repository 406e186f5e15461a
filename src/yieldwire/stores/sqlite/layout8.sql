-- Webhooks that are told of questions, from the step that asks.

ALTER TABLE runs ADD COLUMN question_webhooks TEXT;  -- a JSON array, or nothing
