-- Version 0.16 of db/schema.md: what a payload says of a repository counts only as far as it is newer, and never shows more.

ALTER TABLE repos ADD COLUMN github_updated_at TIMESTAMPTZ;

CREATE FUNCTION hide_unasked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nullif(current_setting('forgeguard.asked_at', true), '') IS NULL THEN
        NEW.private := true;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER repos_hide_unasked BEFORE INSERT ON repos
    FOR EACH ROW WHEN (NOT NEW.private) EXECUTE FUNCTION hide_unasked();

CREATE FUNCTION keep_removed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked_at TIMESTAMPTZ := nullif(current_setting('forgeguard.asked_at', true), '')::timestamptz;
BEGIN
    IF asked_at IS NULL OR OLD.removed_at >= asked_at THEN
        NEW.removed_at := OLD.removed_at;
        NEW.webhook_active := false;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER repos_keep_removed BEFORE UPDATE OF removed_at ON repos
    FOR EACH ROW WHEN (OLD.removed_at IS NOT NULL AND NEW.removed_at IS NULL) EXECUTE FUNCTION keep_removed();

CREATE FUNCTION know_repo(
    repo_number BIGINT, name TEXT, head_branch TEXT, is_private BOOLEAN, installation_key UUID, as_of TIMESTAMPTZ,
    OUT repo_id UUID, OUT doubtful BOOLEAN
) LANGUAGE plpgsql AS $$
DECLARE
    asked BOOLEAN := nullif(current_setting('forgeguard.asked_at', true), '') IS NOT NULL;
BEGIN
    INSERT INTO repos AS r (
        github_repo_id, full_name, default_branch, private, privatized_at, installation_id, webhook_active,
        github_updated_at)
    VALUES (
        repo_number, name, coalesce(head_branch, 'main'), coalesce(is_private, true),
        CASE WHEN is_private THEN clock_timestamp() END, installation_key, true, as_of)
    ON CONFLICT (github_repo_id) DO UPDATE SET
        (full_name, default_branch, installation_id, github_updated_at) = (
            SELECT
                CASE WHEN newer THEN name ELSE r.full_name END,
                CASE WHEN newer THEN coalesce(head_branch, r.default_branch) ELSE r.default_branch END,
                CASE WHEN newer OR ended THEN coalesce(installation_key, r.installation_id) ELSE r.installation_id END,
                CASE WHEN newer THEN coalesce(as_of, r.github_updated_at) ELSE r.github_updated_at END
            FROM (SELECT
                coalesce(as_of >= r.github_updated_at, r.github_updated_at IS NULL OR asked) AS newer,
                NOT EXISTS (SELECT 1 FROM installations i WHERE i.id = r.installation_id AND i.status <> 'deleted') AS ended
            ) AS compared),
        private = coalesce(is_private, r.private),
        privatized_at = CASE WHEN is_private THEN clock_timestamp() ELSE r.privatized_at END,
        webhook_active = true,
        removed_at = NULL,
        updated_at = now()
    RETURNING r.id, NOT asked AND (
        r.removed_at IS NOT NULL OR (r.private AND is_private IS FALSE)
        OR (installation_key IS NOT NULL AND r.installation_id IS DISTINCT FROM installation_key)
    ) INTO repo_id, doubtful;
END;
$$;

DROP FUNCTION take_push(TEXT, TEXT, TEXT, BIGINT, BIGINT, TEXT, TEXT, BIGINT, TEXT, TEXT, BOOLEAN, TEXT, TEXT, TEXT, TEXT, TEXT, INTEGER[], BOOLEAN);
CREATE FUNCTION take_push(
    delivery TEXT, event_name TEXT, event_action TEXT, installation_number BIGINT, account_number BIGINT, login TEXT, kind TEXT,
    repo_number BIGINT, name TEXT, head_branch TEXT, is_private BOOLEAN, sha TEXT, pushed_branch TEXT, before TEXT, message TEXT,
    author TEXT, priorities INTEGER[], unless_known BOOLEAN, as_of TIMESTAMPTZ DEFAULT NULL, OUT outcome TEXT, OUT run_id UUID
) LANGUAGE plpgsql AS $$
DECLARE
    delivery_key UUID;
    installation_key UUID;
    repo_key UUID;
    doubtful BOOLEAN;
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
        SELECT found.repo_id, found.doubtful INTO repo_key, doubtful
        FROM know_repo(repo_number, name, head_branch, is_private, installation_key, as_of) AS found;
        IF doubtful THEN
            PERFORM procrastinate_defer_jobs_v1(ARRAY[ROW(
                'forgeguard', 'ask_about_repo', -4, NULL, NULL, jsonb_build_object('repo_id', repo_key), NULL
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
