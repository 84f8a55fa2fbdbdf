-- Version 0.4 of db/schema.md: budgets that all processes share, order among events, and what cannot be published.

ALTER TABLE installations ADD COLUMN permissions JSONB NOT NULL DEFAULT '{}'::jsonb;
ALTER TABLE installations ADD COLUMN github_updated_at TIMESTAMPTZ;

ALTER TABLE repos ADD COLUMN heads_checked_at TIMESTAMPTZ;

ALTER TABLE pulls ADD COLUMN github_updated_at TIMESTAMPTZ;
CREATE INDEX idx_pulls_head_ref ON pulls(repo_id, head_ref) WHERE state = 'open';

ALTER TABLE audit_runs DROP CONSTRAINT audit_runs_status_check;
ALTER TABLE audit_runs ADD CONSTRAINT audit_runs_status_check CHECK (status IN ('pending', 'running', 'completed', 'error', 'cancelled'));
ALTER TABLE audit_runs ADD COLUMN publish_error TEXT;

CREATE TABLE rate_limits (
    id                      UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    github_installation_id  BIGINT NOT NULL UNIQUE,
    blocked_until           TIMESTAMPTZ,
    remaining               INTEGER,
    resets_at               TIMESTAMPTZ,
    waiting_until           TIMESTAMPTZ,
    created_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at              TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE rate_uses (
    id                      UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    github_installation_id  BIGINT NOT NULL,
    requests                INTEGER NOT NULL,
    writes                  INTEGER NOT NULL,
    used_at                 TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    ended_at                TIMESTAMPTZ
);
CREATE INDEX idx_rate_uses_installation_used ON rate_uses(github_installation_id, used_at);

CREATE TABLE counters (
    id          UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    name        TEXT NOT NULL,
    label       TEXT NOT NULL DEFAULT '',
    value       BIGINT NOT NULL DEFAULT 0,
    updated_at  TIMESTAMPTZ NOT NULL DEFAULT now(),
    UNIQUE (name, label)
);

CREATE FUNCTION take_push(
    delivery TEXT, event_name TEXT, event_action TEXT, installation_number BIGINT, account_number BIGINT, login TEXT, kind TEXT,
    repo_number BIGINT, name TEXT, head_branch TEXT, is_private BOOLEAN, sha TEXT, pushed_branch TEXT, before TEXT, message TEXT,
    author TEXT, priorities INTEGER[], unless_known BOOLEAN, OUT outcome TEXT, OUT run_id UUID
) LANGUAGE plpgsql AS $$
DECLARE
    delivery_key UUID;
    installation_key UUID;
    repo_key UUID;
    priority INTEGER;
BEGIN
    INSERT INTO deliveries (github_delivery_id, event, action, github_installation_id, github_repo_id, outcome)
    VALUES (delivery, event_name, event_action, installation_number, repo_number, 'accepted')
    ON CONFLICT (github_delivery_id) DO NOTHING RETURNING id INTO delivery_key;
    IF delivery_key IS NULL THEN
        outcome := 'known';
        RETURN;
    END IF;

    IF installation_number IS NOT NULL THEN
        SELECT i.id INTO installation_key FROM installations i
        WHERE i.github_installation_id = installation_number AND (login = '' OR i.account_login = login);
        IF installation_key IS NULL THEN
            INSERT INTO installations AS i (github_installation_id, account_github_id, account_login, account_type)
            VALUES (installation_number, account_number, login, kind)
            ON CONFLICT (github_installation_id) DO UPDATE SET
                account_github_id = coalesce(excluded.account_github_id, i.account_github_id),
                account_login = coalesce(nullif(excluded.account_login, ''), i.account_login),
                account_type = coalesce(nullif(excluded.account_type, ''), i.account_type), updated_at = now()
            RETURNING i.id INTO installation_key;
        END IF;
    END IF;

    -- One delivery of a repository at a time from here on.
    SELECT r.id INTO repo_key FROM repos r
    WHERE r.github_repo_id = repo_number AND r.full_name = name AND r.removed_at IS NULL
        AND (head_branch IS NULL OR r.default_branch = head_branch) AND (is_private IS NULL OR r.private = is_private)
        AND (installation_key IS NULL OR r.installation_id = installation_key)
    FOR NO KEY UPDATE;
    IF repo_key IS NULL THEN
        INSERT INTO repos AS r (github_repo_id, full_name, default_branch, private, installation_id, webhook_active)
        VALUES (repo_number, name, coalesce(head_branch, 'main'), coalesce(is_private, true), installation_key, true)
        ON CONFLICT (github_repo_id) DO UPDATE SET
            full_name = excluded.full_name, default_branch = coalesce(head_branch, r.default_branch),
            private = coalesce(is_private, r.private), installation_id = coalesce(installation_key, r.installation_id),
            webhook_active = true, removed_at = NULL, updated_at = now()
        RETURNING r.id INTO repo_key;
    END IF;

    outcome := 'ignored';
    IF sha IS NOT NULL THEN
        -- The same push may have come by another event; a branch that was reset was pushed from elsewhere.
        UPDATE audit_runs SET before_sha = coalesce(before_sha, before), commit_message = coalesce(commit_message, message),
            commit_author = coalesce(commit_author, author), delivery_id = coalesce(delivery_id, delivery_key)
        WHERE id = (
            SELECT a.id FROM audit_runs a
            WHERE a.repo_id = repo_key AND a.commit_sha = sha AND a.branch = pushed_branch AND a.trigger = 'push'
                AND (a.before_sha IS NOT DISTINCT FROM before OR a.before_sha IS NULL OR before IS NULL)
            ORDER BY a.created_at DESC LIMIT 1
        )
        RETURNING id INTO run_id;
        IF run_id IS NOT NULL THEN
            outcome := 'applied';
        ELSIF NOT unless_known OR NOT EXISTS (SELECT 1 FROM audit_runs a WHERE a.repo_id = repo_key AND a.commit_sha = sha) THEN
            -- Several pushes may share a transaction, and each has a time of its own.
            INSERT INTO audit_runs (
                repo_id, commit_sha, branch, before_sha, commit_message, commit_author, delivery_id, started_at, created_at)
            SELECT repo_key, sha, pushed_branch, before, message, author, delivery_key, moment, moment
            FROM clock_timestamp() AS moment RETURNING id INTO run_id;
            outcome := 'accepted';
            priority := CASE
                WHEN pushed_branch = coalesce(head_branch, 'main') THEN priorities[1]
                WHEN EXISTS (SELECT 1 FROM pulls p WHERE p.repo_id = repo_key AND p.state = 'open' AND p.head_ref = pushed_branch
                    AND p.head_repo_github_id = repo_number) THEN priorities[2]
                ELSE priorities[3] END;
            PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
                'forgeguard', 'audit_commit', priority, NULL, NULL, jsonb_build_object('run_id', run_id, 'delivery_id', delivery), NULL
            )::procrastinate_job_to_defer_v1]);
        END IF;
    END IF;
    IF outcome <> 'accepted' THEN
        UPDATE deliveries d SET outcome = take_push.outcome WHERE d.id = delivery_key;
    END IF;
END;
$$;
