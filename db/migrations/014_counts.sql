-- Version 0.12 of db/schema.md: what an audit came to, its findings counted once, and repositories without a commit.

ALTER TABLE audit_runs ADD COLUMN outcome VARCHAR(20)
    CHECK (outcome IN ('passed', 'partly', 'warned', 'failed', 'error', 'nothing', 'disabled'));
ALTER TABLE audit_runs ADD COLUMN verified_count INTEGER NOT NULL DEFAULT 0;

ALTER TABLE audit_checks ADD COLUMN evaluation VARCHAR(20) NOT NULL DEFAULT 'evaluated'
    CHECK (evaluation IN ('evaluated', 'nothing', 'disabled', 'error'));
ALTER TABLE audit_checks ADD COLUMN problem_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_checks ADD COLUMN new_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_checks ADD COLUMN existing_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_checks ADD COLUMN allowed_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_checks ADD COLUMN notice_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_checks ADD COLUMN verified_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_checks ADD COLUMN kept_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE audit_checks ADD COLUMN rule_counts JSONB NOT NULL DEFAULT '{}'::jsonb;
ALTER TABLE audit_checks ADD COLUMN standing_count INTEGER;

ALTER TABLE repos ADD COLUMN is_empty BOOLEAN NOT NULL DEFAULT false;

CREATE INDEX idx_findings_verified ON findings(audit_check_id) WHERE is_verified;

-- Audits from before: what can be known of them. Findings beyond the 5,000 that were kept were not counted.
UPDATE audit_checks SET evaluation = CASE WHEN result = 'ERROR' THEN 'error' WHEN conclusion = 'skipped' THEN 'disabled'
    WHEN title LIKE 'Nothing to check%' THEN 'nothing' ELSE 'evaluated' END;

WITH counted AS (
    SELECT c.id, count(f.id) AS kept,
        count(f.id) FILTER (WHERE c.result = 'ERROR') AS problems,
        count(f.id) FILTER (WHERE c.result <> 'ERROR' AND f.level = 'notice') AS notices,
        count(f.id) FILTER (WHERE c.result <> 'ERROR' AND f.level <> 'notice' AND f.is_allowed) AS allowed,
        count(f.id) FILTER (WHERE c.result <> 'ERROR' AND f.level <> 'notice' AND NOT f.is_allowed AND f.is_new) AS fresh,
        count(f.id) FILTER (WHERE c.result <> 'ERROR' AND f.level <> 'notice' AND NOT f.is_allowed AND NOT f.is_new) AS existing
    FROM audit_checks c JOIN findings f ON f.audit_check_id = c.id GROUP BY c.id
)
UPDATE audit_checks c SET kept_count = n.kept, problem_count = n.problems, notice_count = n.notices,
    allowed_count = n.allowed, new_count = n.fresh, existing_count = n.existing
FROM counted n WHERE n.id = c.id;

UPDATE audit_checks SET standing_count = new_count + existing_count
WHERE evaluation = 'evaluated' AND check_code <> 'W1';

UPDATE audit_runs a SET outcome = CASE
    WHEN s.results @> ARRAY['ERROR'] THEN 'error'
    WHEN s.results @> ARRAY['FAIL'] THEN 'failed'
    WHEN s.results @> ARRAY['WARN'] THEN 'warned'
    WHEN s.evaluations <@ ARRAY['disabled'] THEN 'disabled'
    WHEN NOT s.evaluations @> ARRAY['evaluated'] THEN 'nothing'
    WHEN s.evaluations <@ ARRAY['evaluated'] THEN 'passed'
    ELSE 'partly' END
FROM (
    SELECT audit_run_id, array_agg(result::text) AS results, array_agg(evaluation::text) AS evaluations
    FROM audit_checks GROUP BY audit_run_id
) s WHERE s.audit_run_id = a.id AND a.status IN ('completed', 'error');
