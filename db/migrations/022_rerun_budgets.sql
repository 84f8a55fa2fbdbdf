-- Version 0.20 of db/schema.md: re-runs have a budget.

CREATE TABLE rerun_requests (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    repo_id         UUID NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    installation_id UUID REFERENCES installations(id) ON DELETE CASCADE,
    commit_sha      VARCHAR(64) NOT NULL,
    asked_by        BIGINT,
    run_id          UUID REFERENCES audit_runs(id) ON DELETE CASCADE,
    due_at          TIMESTAMPTZ NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_rerun_requests_person ON rerun_requests(asked_by, due_at DESC);
CREATE INDEX idx_rerun_requests_installation ON rerun_requests(installation_id, due_at DESC);
CREATE INDEX idx_rerun_requests_head ON rerun_requests(repo_id, commit_sha);
CREATE INDEX idx_rerun_requests_run ON rerun_requests(run_id);
