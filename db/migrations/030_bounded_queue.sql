-- Version 0.28 of db/schema.md: what waits for later costs the choice of the next job nothing, and has bounds.

ALTER TABLE audit_runs ADD COLUMN publish_retry_at TIMESTAMPTZ;
ALTER TABLE audit_runs ADD COLUMN request_refused_at TIMESTAMPTZ;
DROP INDEX idx_audit_runs_unpublished;
CREATE INDEX idx_audit_runs_unpublished ON audit_runs (created_at, id) WHERE published_at IS NULL;

-- Of several deferred re-runs of a head the first one is enough; the jobs of the others find nothing to do.
DELETE FROM rerun_requests q USING rerun_requests earlier
WHERE q.run_id IS NULL AND earlier.run_id IS NULL AND q.repo_id = earlier.repo_id AND q.commit_sha = earlier.commit_sha
    AND (q.due_at, q.id) > (earlier.due_at, earlier.id);
CREATE UNIQUE INDEX idx_rerun_requests_deferred ON rerun_requests (repo_id, commit_sha) WHERE run_id IS NULL;

CREATE FUNCTION take_next_job(worker BIGINT, most_slots INTEGER, fair_every INTEGER) RETURNS TABLE (
    id BIGINT, status TEXT, priority INTEGER, lock TEXT, queueing_lock TEXT, task_name TEXT, args JSONB,
    scheduled_at TIMESTAMPTZ, queue_name TEXT, attempts INTEGER, abort_requested BOOLEAN, worker_id BIGINT
) LANGUAGE plpgsql SET enable_sort = off SET enable_incremental_sort = off
    SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    chosen RECORD;
    first BIGINT;
BEGIN
    WITH RECURSIVE lanes AS (
        (SELECT j.queue_name, j.priority FROM procrastinate_jobs j WHERE j.status = 'todo'
        ORDER BY j.queue_name, j.priority LIMIT 1)
        UNION ALL
        SELECT following.queue_name, following.priority FROM lanes l CROSS JOIN LATERAL (
            SELECT j.queue_name, j.priority FROM procrastinate_jobs j
            WHERE j.status = 'todo' AND (j.queue_name, j.priority) > (l.queue_name, l.priority)
            ORDER BY j.queue_name, j.priority LIMIT 1
        ) AS following
    ), held AS (
        SELECT j.queue_name, count(*) AS slots FROM procrastinate_jobs j
        WHERE j.worker_id = worker AND j.status = 'doing' GROUP BY j.queue_name
    ), firsts AS (
        SELECT DISTINCT ON (l.queue_name) l.queue_name, l.priority, due.id, due.was_scheduled FROM lanes l
        CROSS JOIN LATERAL (
            SELECT * FROM (
                (SELECT j.id, false AS was_scheduled FROM procrastinate_jobs j
                WHERE j.status = 'todo' AND j.queue_name = l.queue_name AND j.priority = l.priority
                    AND j.scheduled_at IS NULL
                ORDER BY j.scheduled_at, j.id LIMIT 1)
                UNION ALL
                (SELECT j.id, true FROM procrastinate_jobs j
                WHERE j.status = 'todo' AND j.queue_name = l.queue_name AND j.priority = l.priority
                    AND j.scheduled_at <= now()
                ORDER BY j.scheduled_at, j.id LIMIT 1)
            ) AS both_kinds ORDER BY both_kinds.id LIMIT 1
        ) AS due
        ORDER BY l.queue_name, l.priority DESC
    )
    SELECT f.queue_name, f.priority, f.was_scheduled INTO chosen FROM firsts f
    LEFT JOIN held h ON h.queue_name = f.queue_name LEFT JOIN queue_turns t ON t.queue_name = f.queue_name
    CROSS JOIN (SELECT s.last_value % fair_every = 0 AS is_fair FROM queue_turns_turn_seq s) AS turns
    ORDER BY coalesce(h.slots, 0) >= most_slots, CASE WHEN turns.is_fair THEN 0 ELSE f.priority END DESC,
        t.turn NULLS FIRST, f.id
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    -- Two statements, so that each has the one order that an index gives.
    IF chosen.was_scheduled THEN
        SELECT j.id INTO first FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND j.queue_name = chosen.queue_name AND j.priority = chosen.priority
            AND j.scheduled_at <= now()
        ORDER BY j.scheduled_at, j.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    ELSE
        SELECT j.id INTO first FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND j.queue_name = chosen.queue_name AND j.priority = chosen.priority
            AND j.scheduled_at IS NULL
        ORDER BY j.scheduled_at, j.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    END IF;
    RETURN QUERY WITH taken AS (
        UPDATE procrastinate_jobs j SET status = 'doing', worker_id = worker WHERE j.id = first RETURNING j.*
    )
    SELECT j.id, j.status::text, j.priority, j.lock, j.queueing_lock, j.task_name::text, j.args, j.scheduled_at,
        j.queue_name::text, j.attempts, j.abort_requested, j.worker_id
    FROM (SELECT) AS one_row LEFT JOIN taken j ON true;
    INSERT INTO queue_turns AS t (queue_name) VALUES (chosen.queue_name)
    ON CONFLICT (queue_name) DO UPDATE SET turn = excluded.turn;
END;
$$;

CREATE FUNCTION due_jobs(most INTEGER) RETURNS TABLE (id BIGINT, queue_name TEXT, priority INTEGER, args JSONB)
LANGUAGE plpgsql STABLE SET enable_sort = off SET enable_incremental_sort = off
    SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT j.id, j.queue_name::text, j.priority, j.args FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND j.scheduled_at IS NULL ORDER BY j.scheduled_at LIMIT most;
    RETURN QUERY SELECT j.id, j.queue_name::text, j.priority, j.args FROM procrastinate_jobs j
        WHERE j.status = 'todo' AND j.scheduled_at <= statement_timestamp() ORDER BY j.scheduled_at LIMIT most;
END;
$$;
