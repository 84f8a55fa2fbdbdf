-- Version 0.9 of db/schema.md: versions of contracts, phases of builds, and the order of their logs.

CREATE INDEX idx_projects_repo_id ON projects(repo_id);

ALTER TABLE project_contracts ADD COLUMN edited_by TEXT;

CREATE TABLE contract_versions (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    contract_id     UUID NOT NULL REFERENCES project_contracts(id) ON DELETE CASCADE,
    version         INTEGER NOT NULL,
    content         TEXT NOT NULL,
    edited_by       TEXT,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX idx_contract_versions_contract ON contract_versions(contract_id, version);

ALTER TABLE builds ADD COLUMN repo_id UUID REFERENCES repos(id) ON DELETE SET NULL;
ALTER TABLE builds ADD COLUMN user_id UUID REFERENCES users(id) ON DELETE SET NULL;
ALTER TABLE builds ADD COLUMN github_login TEXT;
ALTER TABLE builds ADD COLUMN builder TEXT NOT NULL DEFAULT 'built-in';
ALTER TABLE builds ADD COLUMN contracts JSONB NOT NULL DEFAULT '{}'::jsonb;
ALTER TABLE builds ADD COLUMN phase_number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE builds ADD COLUMN branch TEXT;
ALTER TABLE builds ADD COLUMN base_branch TEXT;
ALTER TABLE builds ADD COLUMN base_sha VARCHAR(40);
ALTER TABLE builds ADD COLUMN head_sha VARCHAR(40);
ALTER TABLE builds ADD COLUMN tried_sha VARCHAR(40);
ALTER TABLE builds ADD COLUMN findings JSONB NOT NULL DEFAULT '[]'::jsonb;
ALTER TABLE builds ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE builds ADD COLUMN cancel_requested_at TIMESTAMPTZ;
ALTER TABLE builds ADD COLUMN pull_url TEXT;
CREATE UNIQUE INDEX idx_builds_one_at_a_time ON builds(project_id) WHERE status IN ('pending', 'running');

CREATE TABLE build_phases (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    build_id        UUID NOT NULL REFERENCES builds(id) ON DELETE CASCADE,
    number          INTEGER NOT NULL,
    name            TEXT NOT NULL,
    status          VARCHAR(20) NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    loops           INTEGER NOT NULL DEFAULT 0,
    commit_sha      VARCHAR(40),
    audit           JSONB,
    started_at      TIMESTAMPTZ,
    completed_at    TIMESTAMPTZ
);
CREATE UNIQUE INDEX idx_build_phases_build ON build_phases(build_id, number);

ALTER TABLE build_logs ADD COLUMN number BIGINT GENERATED ALWAYS AS IDENTITY;
CREATE UNIQUE INDEX idx_build_logs_build_number ON build_logs(build_id, number);
