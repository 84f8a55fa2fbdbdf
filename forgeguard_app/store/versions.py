"""Versions of what live pages show: short texts that differ whenever the page would.

A page carries the version of what it shows, and its event stream tells only other ones. They are computed from the rows
themselves, so that keeping them costs no write. Read the version before the rows of a page: what changes in between
then shows as another version, and is never missed.
"""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import SUBJECT
from forgeguard_app.store.shown_state import APP, DUE_JOBS, MAX_AHEAD, SILENT_S

NEWEST = 100  # runs of a repository on which its version depends: more than a page shows
# Why an audit waits is in rows that change without a notice, and in the time: it shows at the next beat of a stream.
_WHY_WAITING = f"""concat_ws(' ',
    EXISTS (SELECT 1 FROM procrastinate_workers
        WHERE last_heartbeat > clock_timestamp() - make_interval(secs => {SILENT_S})),
    (SELECT greatest(ceil(extract(epoch FROM max(greatest(l.blocked_until, l.waiting_until,
            CASE WHEN l.remaining = 0 THEN l.resets_at END)) - clock_timestamp()) / 60), 0) FROM rate_limits l
        WHERE l.github_installation_id IN (i.github_installation_id, {APP})))"""  # noqa: S608  (numbers of ours)
# Beyond MAX_AHEAD no page says how many jobs wait.
_PLACE_IN_QUEUE = f"""concat_ws(' ', (SELECT least(count(*), {MAX_AHEAD + 1}) FROM {DUE_JOBS} AS due),
    (SELECT greatest(ceil(min(extract(epoch FROM j.scheduled_at - clock_timestamp())) / 60), 0)
    FROM procrastinate_jobs j WHERE j.status = 'todo' AND {SUBJECT} = a.id::text))"""  # noqa: S608


async def find_repo_version(connection: Connection, repo_id: UUID) -> str | None:
    """Return the version of the repository's newest audits; None where it is gone."""
    found: str | None = await connection.fetchval(
        f"""
        SELECT left(md5(concat_ws('|', r.full_name, r.default_branch, r.private, r.is_empty, i.status,
            CASE WHEN EXISTS (SELECT 1 FROM audit_runs w WHERE w.repo_id = r.id AND w.published_at IS NULL)
                OR NOT EXISTS (SELECT 1 FROM audit_runs w WHERE w.repo_id = r.id) THEN {_WHY_WAITING} END,
            (SELECT string_agg(concat_ws(' ', a.id, a.status, a.overall_result, a.is_published, a.publish_error), ',')
             FROM (SELECT id, status, overall_result, published_at IS NOT NULL AS is_published, publish_error
                 FROM audit_runs WHERE repo_id = r.id
                   ORDER BY created_at DESC, id DESC LIMIT $2) a))), 16)
        FROM repos r LEFT JOIN installations i ON i.id = r.installation_id WHERE r.id = $1
        """,  # noqa: S608
        repo_id,
        NEWEST,
    )
    return found


async def find_audit_version(connection: Connection, run_id: UUID) -> str | None:
    """Return the version of one audit, which a newer audit of its head changes too; None where it is gone."""
    found: str | None = await connection.fetchval(
        f"""
        SELECT left(md5(concat_ws('|', a.status, a.overall_result, a.completed_at, a.error_detail, a.publish_error,
            a.published_at IS NOT NULL, i.status,
            (SELECT min(q.due_at) FROM rerun_requests q WHERE q.repo_id = a.repo_id AND q.commit_sha = a.commit_sha
                AND q.run_id IS NULL), a.request_refused_at,
            CASE WHEN a.published_at IS NULL THEN {_WHY_WAITING} END,
            CASE WHEN a.status = 'pending' THEN {_PLACE_IN_QUEUE} END,
            (SELECT n.id FROM audit_runs n WHERE n.repo_id = a.repo_id AND n.commit_sha = a.commit_sha
             ORDER BY n.created_at DESC LIMIT 1))), 16)
        FROM audit_runs a JOIN repos r ON r.id = a.repo_id LEFT JOIN installations i ON i.id = r.installation_id
            WHERE a.id = $1
        """,  # noqa: S608
        run_id,
    )
    return found


async def find_trial_version(connection: Connection, trial_id: UUID) -> str | None:
    """Return the version of a trial; None where it is gone."""
    found: str | None = await connection.fetchval(
        "SELECT left(md5(concat_ws('|', status, completed_at)), 16) FROM trials WHERE id = $1", trial_id
    )
    return found


async def find_build_version(connection: Connection, build_id: UUID) -> str | None:
    """Return the version of a build's phases and state, without its log; None where it is gone."""
    found: str | None = await connection.fetchval(
        """
        SELECT left(md5(concat_ws('|', b.status, b.phase, b.loop_count, b.builder, b.error_detail, b.pull_url,
            b.cancel_requested_at, b.review_sha, b.started_at, b.completed_at,
            (SELECT string_agg(concat_ws(' ', p.number, p.name, p.status, p.loops, p.commit_sha, p.started_at,
                p.completed_at,
                md5(p.audit::text)), ',' ORDER BY p.number) FROM build_phases p WHERE p.build_id = b.id))), 16)
        FROM builds b WHERE b.id = $1
        """,
        build_id,
    )
    return found
