-- Version 0.3 of db/schema.md: runs that come from more than a push.

ALTER TABLE audit_runs ADD COLUMN trigger TEXT NOT NULL DEFAULT 'push';
ALTER TABLE audit_runs ADD COLUMN fetch_ref TEXT;
ALTER TABLE audit_runs ADD COLUMN target_ref TEXT;
ALTER TABLE audit_runs ADD COLUMN target_sha TEXT;
ALTER TABLE audit_runs ADD COLUMN fork BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE audit_runs ADD CONSTRAINT audit_runs_trigger_check CHECK (trigger IN ('push', 'pull_request', 'merge_group', 'rerun', 'installation'));
CREATE INDEX idx_audit_runs_repo_commit ON audit_runs(repo_id, commit_sha, created_at DESC);
