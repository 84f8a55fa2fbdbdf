-- Version 0.27 of db/schema.md: a quota of trials.

ALTER TABLE trials ADD COLUMN content_deleted_at TIMESTAMPTZ;

ALTER TABLE storage_uses DROP CONSTRAINT storage_uses_kind_check;
ALTER TABLE storage_uses ADD CONSTRAINT storage_uses_kind_check
    CHECK (kind IN ('contract_versions', 'build_logs', 'excerpts', 'findings', 'trials', 'mirrors'));
