-- Version 0.29 of db/schema.md: the page of a repository finds its leaked secrets whatever number of audits it has.

CREATE INDEX idx_audit_runs_verified ON audit_runs (repo_id, created_at DESC) WHERE verified_count > 0;
CREATE INDEX idx_audit_runs_verified_branch ON audit_runs (repo_id, branch, created_at DESC) WHERE verified_count > 0;
