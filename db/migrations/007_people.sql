-- Version 0.5 of db/schema.md: people, what they may see, and the App that set-up made.

ALTER TABLE users ADD COLUMN refresh_token TEXT;
ALTER TABLE users ADD COLUMN token_expires_at TIMESTAMPTZ;
ALTER TABLE users ADD COLUMN access_checked_at TIMESTAMPTZ;

CREATE TABLE sessions (
    id          UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    token_hash  TEXT NOT NULL UNIQUE,
    browser     TEXT NOT NULL DEFAULT '',
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    seen_at     TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_sessions_user_id ON sessions(user_id);
CREATE INDEX idx_sessions_expires_at ON sessions(expires_at);

CREATE TABLE api_tokens (
    id          UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id     UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    token_hash  TEXT NOT NULL UNIQUE,
    scope       TEXT NOT NULL CHECK (scope IN ('read', 'write')),
    created_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    used_at     TIMESTAMPTZ,
    expires_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_api_tokens_user_id ON api_tokens(user_id);

CREATE TABLE repo_access (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id         UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    github_repo_id  BIGINT NOT NULL,
    level           TEXT NOT NULL CHECK (level IN ('read', 'write', 'admin')),
    UNIQUE (user_id, github_repo_id)
);

CREATE TABLE app_credentials (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    app_id          BIGINT NOT NULL,
    slug            TEXT NOT NULL,
    html_url        TEXT NOT NULL,
    client_id       TEXT NOT NULL,
    client_secret   TEXT NOT NULL,
    private_key     TEXT NOT NULL,
    webhook_secret  TEXT NOT NULL,
    github_url      TEXT NOT NULL,
    github_api_url  TEXT NOT NULL,
    public_url      TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX idx_app_credentials_one ON app_credentials((true));

CREATE TABLE setup_links (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    token_hash      TEXT NOT NULL,
    browser_hash    TEXT,
    state_hash      TEXT,
    choice          JSONB,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX idx_setup_links_one ON setup_links((true));

CREATE INDEX idx_repos_full_name ON repos(lower(full_name));
