-- Version 0.7 of db/schema.md: findings that somebody allows.

CREATE TABLE allowances (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    repo_id         UUID NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    check_code      VARCHAR(10) NOT NULL CHECK (check_code IN ('A4', 'A9', 'W1')),
    fingerprint     TEXT NOT NULL,
    rule            TEXT NOT NULL,
    path            TEXT NOT NULL,
    reason          TEXT NOT NULL,
    user_id         UUID REFERENCES users(id) ON DELETE SET NULL,
    github_login    TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at      TIMESTAMPTZ,
    ended_at        TIMESTAMPTZ
);
CREATE UNIQUE INDEX idx_allowances_in_force ON allowances(repo_id, check_code, fingerprint) WHERE ended_at IS NULL;
CREATE INDEX idx_allowances_repo ON allowances(repo_id, created_at DESC);

ALTER TABLE findings ADD COLUMN is_allowed BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX idx_findings_fingerprint ON findings(fingerprint);
