-- Version 0.24 of db/schema.md: a malformed delivery is noted, so that it does not count as lost.

ALTER TABLE deliveries DROP CONSTRAINT deliveries_outcome_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_outcome_check
    CHECK (outcome IN ('accepted', 'applied', 'ignored', 'refused'));

CREATE OR REPLACE FUNCTION take_push(
    delivery TEXT, event_name TEXT, event_action TEXT, installation_number BIGINT, account_number BIGINT, login TEXT, kind TEXT,
    repo_number BIGINT, name TEXT, head_branch TEXT, is_private BOOLEAN, sha TEXT, pushed_branch TEXT, before TEXT, message TEXT,
    author TEXT, priorities INTEGER[], unless_known BOOLEAN, as_of TIMESTAMPTZ DEFAULT NULL, OUT outcome TEXT, OUT run_id UUID
) LANGUAGE plpgsql AS $$
DECLARE
    delivery_key UUID;
    installation_key UUID;
    repo_key UUID;
    doubtful BOOLEAN;
BEGIN
    INSERT INTO deliveries AS d (github_delivery_id, event, action, github_installation_id, github_repo_id, outcome)
    VALUES (delivery, event_name, event_action, installation_number, repo_number, 'accepted')
    ON CONFLICT (github_delivery_id) DO UPDATE SET event = excluded.event, action = excluded.action,
        github_installation_id = excluded.github_installation_id, github_repo_id = excluded.github_repo_id,
        outcome = excluded.outcome, received_at = now()
    WHERE d.outcome = 'refused'
    RETURNING d.id INTO delivery_key;
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
        SELECT found.repo_id, found.doubtful INTO repo_key, doubtful
        FROM know_repo(repo_number, name, head_branch, is_private, installation_key, as_of) AS found;
        IF doubtful THEN
            PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
                queue_of(jsonb_build_object('repo_id', repo_key)), 'ask_about_repo', -4, NULL, NULL,
                jsonb_build_object('repo_id', repo_key), NULL
            )::procrastinate_job_to_defer_v1]);
        END IF;
    ELSIF is_private THEN
        UPDATE repos SET privatized_at = clock_timestamp() WHERE id = repo_key;
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
            PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
                queue_of(jsonb_build_object('repo_id', repo_key)), 'audit_commit', head_rank(repo_key, pushed_branch, priorities),
                NULL, NULL, jsonb_build_object('run_id', run_id, 'delivery_id', delivery), NULL
            )::procrastinate_job_to_defer_v1]);
        END IF;
    END IF;
    IF outcome <> 'accepted' THEN
        UPDATE deliveries d SET outcome = take_push.outcome WHERE d.id = delivery_key;
    END IF;
END;
$$;
