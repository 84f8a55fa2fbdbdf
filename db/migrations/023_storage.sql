-- Version 0.21 of db/schema.md: quotas in bytes, and what is taken of them.

ALTER TABLE builds ADD COLUMN log_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE builds ADD COLUMN log_deleted_at TIMESTAMPTZ;
UPDATE builds b SET log_bytes = l.bytes
FROM (SELECT build_id, sum(octet_length(message) + 64) AS bytes FROM build_logs GROUP BY build_id) AS l
WHERE l.build_id = b.id AND b.completed_at IS NOT NULL;
UPDATE builds SET contracts = '{}'::jsonb WHERE completed_at IS NOT NULL;

ALTER TABLE audit_runs ADD COLUMN excerpt_bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE audit_runs ADD COLUMN excerpts_deleted_at TIMESTAMPTZ;
UPDATE audit_runs a SET excerpt_bytes = f.bytes
FROM (
    SELECT c.audit_run_id, sum(octet_length(f.excerpt)) AS bytes FROM findings f JOIN audit_checks c ON c.id = f.audit_check_id
    WHERE f.excerpt IS NOT NULL GROUP BY c.audit_run_id
) AS f
WHERE f.audit_run_id = a.id;
CREATE INDEX idx_audit_runs_excerpts ON audit_runs(repo_id, created_at DESC) WHERE excerpt_bytes > 0;

CREATE TABLE storage_uses (
    id              UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    kind            TEXT NOT NULL CHECK (kind IN ('contract_versions', 'build_logs', 'excerpts', 'mirrors')),
    holder_kind     TEXT NOT NULL CHECK (holder_kind IN ('all', 'person', 'project', 'repository', 'installation')),
    holder_name     TEXT NOT NULL,
    machine         TEXT NOT NULL DEFAULT '',
    bytes           BIGINT NOT NULL,
    quota_bytes     BIGINT,
    measured_at     TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX idx_storage_uses_kind ON storage_uses(kind, machine);
