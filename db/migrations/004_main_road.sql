-- Version 0.2 of db/schema.md: from a delivery to published check runs.

CREATE TABLE installations (
    id                      UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    github_installation_id  BIGINT NOT NULL UNIQUE,
    account_github_id       BIGINT,
    account_login           TEXT NOT NULL DEFAULT '',
    account_type            TEXT NOT NULL DEFAULT '',
    status                  TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    owner_policy            TEXT,
    created_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at              TIMESTAMPTZ NOT NULL DEFAULT now()
);

ALTER TABLE users ALTER COLUMN github_login TYPE TEXT;
ALTER TABLE users ALTER COLUMN access_token DROP NOT NULL;

ALTER TABLE repos ALTER COLUMN user_id DROP NOT NULL;
ALTER TABLE repos DROP CONSTRAINT repos_user_id_fkey;
ALTER TABLE repos ADD CONSTRAINT repos_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE SET NULL;
ALTER TABLE repos ALTER COLUMN full_name TYPE TEXT;
ALTER TABLE repos ALTER COLUMN default_branch TYPE TEXT;
ALTER TABLE repos ADD COLUMN installation_id UUID REFERENCES installations(id) ON DELETE SET NULL;
ALTER TABLE repos ADD COLUMN private BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE repos ADD COLUMN removed_at TIMESTAMPTZ;
CREATE INDEX idx_repos_installation_id ON repos(installation_id);

CREATE TABLE pulls (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    repo_id         UUID NOT NULL REFERENCES repos(id) ON DELETE CASCADE,
    number          INTEGER NOT NULL,
    state           TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    head_sha        TEXT NOT NULL,
    head_ref        TEXT NOT NULL,
    head_repo_github_id BIGINT,
    base_ref        TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (repo_id, number)
);
CREATE INDEX idx_pulls_head ON pulls(repo_id, head_sha) WHERE state = 'open';

CREATE TABLE deliveries (
    id                      UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    github_delivery_id      TEXT NOT NULL UNIQUE,
    event                   TEXT NOT NULL,
    action                  TEXT,
    github_installation_id  BIGINT,
    github_repo_id          BIGINT,
    outcome                 TEXT NOT NULL CHECK (outcome IN ('accepted', 'applied', 'ignored')),
    received_at             TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_deliveries_received_at ON deliveries(received_at);

ALTER TABLE audit_runs ALTER COLUMN commit_sha TYPE VARCHAR(64);
ALTER TABLE audit_runs ALTER COLUMN commit_author TYPE TEXT;
ALTER TABLE audit_runs ALTER COLUMN branch TYPE TEXT;
ALTER TABLE audit_runs ADD COLUMN delivery_id UUID REFERENCES deliveries(id) ON DELETE SET NULL;
ALTER TABLE audit_runs ADD COLUMN before_sha TEXT;
ALTER TABLE audit_runs ADD COLUMN base_sha TEXT;
ALTER TABLE audit_runs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_runs ADD COLUMN error_detail TEXT;
ALTER TABLE audit_runs ADD COLUMN published_at TIMESTAMPTZ;
ALTER TABLE audit_runs ADD CONSTRAINT audit_runs_status_check CHECK (status IN ('pending', 'running', 'completed', 'error'));
ALTER TABLE audit_runs ADD CONSTRAINT audit_runs_overall_result_check CHECK (overall_result IN ('PASS', 'FAIL', 'ERROR'));
ALTER TABLE audit_runs ADD CONSTRAINT audit_runs_delivery_id_key UNIQUE (delivery_id);
CREATE INDEX idx_audit_runs_repo_branch ON audit_runs(repo_id, branch, created_at DESC);
CREATE INDEX idx_audit_runs_unpublished ON audit_runs(created_at) WHERE published_at IS NULL;

ALTER TABLE audit_checks ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_checks ADD COLUMN summary TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_checks ADD COLUMN conclusion TEXT NOT NULL DEFAULT 'neutral';
ALTER TABLE audit_checks ADD CONSTRAINT audit_checks_result_check CHECK (result IN ('PASS', 'FAIL', 'WARN', 'ERROR'));
ALTER TABLE audit_checks ADD CONSTRAINT audit_checks_conclusion_check CHECK (conclusion IN ('success', 'failure', 'neutral', 'skipped', 'action_required'));
ALTER TABLE audit_checks ADD CONSTRAINT audit_checks_run_code_key UNIQUE (audit_run_id, check_code);

CREATE TABLE check_runs (
    id                  UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    audit_run_id        UUID NOT NULL REFERENCES audit_runs(id) ON DELETE CASCADE,
    check_code          VARCHAR(10) NOT NULL,
    github_id           BIGINT,
    sending_at          TIMESTAMPTZ,
    annotations_sent    INTEGER NOT NULL DEFAULT 0,
    published_at        TIMESTAMPTZ,
    created_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (audit_run_id, check_code)
);

CREATE TABLE findings (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    audit_check_id  UUID NOT NULL REFERENCES audit_checks(id) ON DELETE CASCADE,
    ordinal         INTEGER NOT NULL,
    path            TEXT NOT NULL,
    line            INTEGER NOT NULL,
    end_line        INTEGER NOT NULL,
    column_number   INTEGER NOT NULL,
    rule            TEXT NOT NULL,
    message         TEXT NOT NULL,
    level           TEXT NOT NULL CHECK (level IN ('failure', 'warning', 'notice')),
    is_new          BOOLEAN NOT NULL,
    is_counted      BOOLEAN NOT NULL,
    commit_sha      TEXT,
    fingerprint     TEXT NOT NULL,
    UNIQUE (audit_check_id, ordinal)
);
