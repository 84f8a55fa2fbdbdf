-- Version 0.26 of db/schema.md: quotas of findings. What earlier audits take is counted by a worker, not here.

ALTER TABLE repos ADD COLUMN finding_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_runs ADD COLUMN finding_bytes BIGINT;
ALTER TABLE audit_runs ADD COLUMN findings_deleted_at TIMESTAMPTZ;
CREATE INDEX idx_audit_runs_findings ON audit_runs(repo_id, created_at DESC) WHERE finding_bytes > 0;
CREATE INDEX idx_audit_runs_uncounted ON audit_runs(repo_id) WHERE finding_bytes IS NULL AND overall_result IS NOT NULL;

ALTER TABLE storage_uses DROP CONSTRAINT storage_uses_kind_check;
ALTER TABLE storage_uses ADD CONSTRAINT storage_uses_kind_check
    CHECK (kind IN ('contract_versions', 'build_logs', 'excerpts', 'findings', 'mirrors'));
