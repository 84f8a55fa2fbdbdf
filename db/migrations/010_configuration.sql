-- Version 0.8 of db/schema.md: configuration as understood, trials of a changed one, and whether notices arrive.

ALTER TABLE repos ADD COLUMN configuration JSONB;
ALTER TABLE repos ADD COLUMN configuration_sha VARCHAR(40);
ALTER TABLE repos ADD COLUMN required_checks TEXT[];

CREATE TABLE trials (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    repo_id         UUID NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    user_id         UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    project_id      UUID REFERENCES projects(id) ON DELETE CASCADE,
    kind            VARCHAR(20) NOT NULL CHECK (kind IN ('configuration', 'first_rules', 'contracts')),
    path            TEXT,
    content         TEXT,
    status          VARCHAR(20) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed', 'error')),
    commit_sha      VARCHAR(40),
    result          JSONB,
    error_detail    TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    completed_at    TIMESTAMPTZ
);
CREATE INDEX idx_trials_repo ON trials(repo_id, created_at DESC);
CREATE INDEX idx_trials_user ON trials(user_id, created_at DESC);

ALTER TABLE installations ADD COLUMN notified_at TIMESTAMPTZ;
ALTER TABLE installations ADD COLUMN notify_error TEXT;
