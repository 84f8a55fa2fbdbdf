-- Version 0.25 of db/schema.md: which secrets stand in a default branch is stored, not read from all its audits.

ALTER TABLE repos ADD COLUMN standing_branch TEXT;

CREATE TABLE standing_secrets (
    repo_id         UUID NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    check_code      VARCHAR(10) NOT NULL,
    fingerprint     TEXT NOT NULL,
    run_id          UUID NOT NULL REFERENCES audit_runs(id) ON DELETE CASCADE,
    verified_rule   TEXT,
    PRIMARY KEY (repo_id, check_code, fingerprint)
);
CREATE INDEX idx_standing_secrets_run ON standing_secrets(run_id);
