-- Version 0.14 of db/schema.md: who did what, kept for a year.

CREATE TABLE audit_log (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    at              TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    deed            VARCHAR(40) NOT NULL,
    outcome         VARCHAR(10) NOT NULL CHECK (outcome IN ('done', 'denied')),
    github_id       BIGINT,
    github_login    VARCHAR(255),
    via             VARCHAR(10) NOT NULL CHECK (via IN ('browser', 'token', 'link')),
    subject         TEXT NOT NULL,
    repo_id         UUID,
    repo_name       TEXT
);
CREATE INDEX idx_audit_log_at ON audit_log(at DESC, id);
CREATE INDEX idx_audit_log_repo ON audit_log(repo_id, at DESC);

CREATE FUNCTION keep_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < now() - interval '365 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'audit_log is append-only';
END $$;
CREATE TRIGGER audit_log_is_kept BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION keep_audit_log();
CREATE TRIGGER audit_log_is_not_emptied BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_log();
