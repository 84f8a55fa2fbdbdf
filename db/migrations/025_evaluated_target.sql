-- Version 0.23 of db/schema.md: an audit run says for which branch it was evaluated.

ALTER TABLE audit_runs ADD COLUMN evaluated_target TEXT;
