-- Version 0.19 of db/schema.md: a build waits for a person's approval of files that decide verdicts or run in CI.

ALTER TABLE builds ADD COLUMN review_sha VARCHAR(40);
ALTER TABLE builds ADD COLUMN waiting_since TIMESTAMPTZ;
ALTER TABLE builds ADD COLUMN waited INTERVAL NOT NULL DEFAULT '0';
DROP INDEX idx_builds_one_at_a_time;
CREATE UNIQUE INDEX idx_builds_one_at_a_time ON builds(project_id)
    WHERE status IN ('pending', 'running', 'awaiting_approval');

ALTER TABLE build_phases DROP CONSTRAINT build_phases_status_check;
ALTER TABLE build_phases ADD CONSTRAINT build_phases_status_check
    CHECK (status IN ('pending', 'running', 'awaiting_approval', 'completed', 'failed', 'cancelled'));

CREATE TABLE build_changes (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    build_id        UUID NOT NULL REFERENCES builds(id) ON DELETE CASCADE,
    change_key      TEXT NOT NULL,
    review_sha      VARCHAR(40) NOT NULL,
    position        INTEGER NOT NULL,
    path            TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('added', 'changed', 'deleted')),
    difference      TEXT NOT NULL,
    approved_by     UUID REFERENCES users(id) ON DELETE SET NULL,
    approved_login  TEXT,
    approved_at     TIMESTAMPTZ,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX idx_build_changes_key ON build_changes(build_id, change_key);
CREATE INDEX idx_build_changes_approved_by ON build_changes(approved_by);
