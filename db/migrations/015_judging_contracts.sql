-- Version 0.13 of db/schema.md: which version of a project's boundaries was in force when an audit was evaluated.

ALTER TABLE audit_runs ADD COLUMN contract_id UUID;
ALTER TABLE audit_runs ADD COLUMN contract_version INTEGER;
CREATE INDEX idx_audit_runs_contract ON audit_runs(repo_id, completed_at DESC) WHERE contract_id IS NOT NULL;
