-- Version 0.11 of db/schema.md: forms kept over a sign-in, deleted projects kept for a week, links that end, access asked with ETags.

CREATE TABLE kept_forms (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id         UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    browser_hash    TEXT NOT NULL,
    path            TEXT NOT NULL,
    content         TEXT NOT NULL,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    expires_at      TIMESTAMPTZ NOT NULL
);
CREATE INDEX idx_kept_forms_user ON kept_forms(user_id, created_at DESC);
CREATE INDEX idx_kept_forms_expires_at ON kept_forms(expires_at);

ALTER TABLE projects ADD COLUMN deleted_at TIMESTAMPTZ;
CREATE INDEX idx_projects_deleted_at ON projects(deleted_at) WHERE deleted_at IS NOT NULL;

ALTER TABLE repos ADD COLUMN link_generation INTEGER NOT NULL DEFAULT 0;

CREATE FUNCTION end_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.link_generation := OLD.link_generation + 1;
    RETURN NEW;
END;
$$;

CREATE TRIGGER repos_privatized BEFORE UPDATE OF private ON repos
    FOR EACH ROW WHEN (NEW.private AND NOT OLD.private) EXECUTE FUNCTION end_links();

CREATE TABLE access_answers (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id         UUID NOT NULL REFERENCES users(id) ON DELETE CASCADE,
    url             TEXT NOT NULL,
    etag            TEXT NOT NULL,
    content         JSONB NOT NULL,
    next_url        TEXT,
    UNIQUE (user_id, url)
);
