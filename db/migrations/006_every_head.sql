-- Version 0.4 of db/schema.md: budgets that all processes share, order among events, and what cannot be published.

ALTER TABLE installations ADD COLUMN permissions JSONB NOT NULL DEFAULT '{}'::jsonb;
ALTER TABLE installations ADD COLUMN github_updated_at TIMESTAMPTZ;

ALTER TABLE repos ADD COLUMN heads_checked_at TIMESTAMPTZ;

ALTER TABLE pulls ADD COLUMN github_updated_at TIMESTAMPTZ;
CREATE INDEX idx_pulls_head_ref ON pulls(repo_id, head_ref) WHERE state = 'open';

ALTER TABLE audit_runs DROP CONSTRAINT audit_runs_status_check;
ALTER TABLE audit_runs ADD CONSTRAINT audit_runs_status_check CHECK (status IN ('pending', 'running', 'completed', 'error', 'cancelled'));
ALTER TABLE audit_runs ADD COLUMN publish_error TEXT;

CREATE TABLE rate_limits (
    id                      UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    github_installation_id  BIGINT NOT NULL UNIQUE,
    blocked_until           TIMESTAMPTZ,
    remaining               INTEGER,
    resets_at               TIMESTAMPTZ,
    waiting_until           TIMESTAMPTZ,
    created_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at              TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE rate_uses (
    id                      UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    github_installation_id  BIGINT NOT NULL,
    requests                INTEGER NOT NULL,
    writes                  INTEGER NOT NULL,
    used_at                 TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    ended_at                TIMESTAMPTZ
);
CREATE INDEX idx_rate_uses_installation_used ON rate_uses(github_installation_id, used_at);

CREATE TABLE counters (
    id          UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    name        TEXT NOT NULL,
    label       TEXT NOT NULL DEFAULT '',
    value       BIGINT NOT NULL DEFAULT 0,
    updated_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (name, label)
);
