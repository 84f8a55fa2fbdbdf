-- Version 0.10 of db/schema.md.
ALTER TABLE findings ADD COLUMN is_verified BOOLEAN NOT NULL DEFAULT false;

ALTER TABLE repos ADD COLUMN required_checked_at TIMESTAMPTZ;

ALTER TABLE rate_limits ADD COLUMN token_pause_until TIMESTAMPTZ;

ALTER TABLE audit_runs DROP COLUMN attempts;
ALTER TABLE audit_runs ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_runs ADD COLUMN interruptions INTEGER NOT NULL DEFAULT 0;

ALTER TABLE builds DROP COLUMN attempts;
ALTER TABLE builds ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;
ALTER TABLE builds ADD COLUMN interruptions INTEGER NOT NULL DEFAULT 0;

CREATE UNLOGGED TABLE claims (
    id                  UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    work_id             UUID NOT NULL UNIQUE,
    process             TEXT NOT NULL,
    database_started_at TIMESTAMPTZ NOT NULL,
    stopping            BOOLEAN NOT NULL DEFAULT false,
    begun_at            TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_claims_process ON claims(process);
