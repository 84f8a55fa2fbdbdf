"""Requests for re-runs: who asked for how many, and which are deferred."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import SUBJECT

KEPT_HOURS = 2
READ_STARTS = 2_000  # more than three hours of an installation's budget


@dataclass(frozen=True, slots=True)
class RerunBudget:
    """The number of re-runs that a person and an installation may have within an hour.

    The last `reserved` of an installation are for people who asked for fewer than `few` within the hour.
    """

    of_person: int
    of_installation: int
    reserved: int = 0
    few: int = 0

    def room_for(self, asked: int | None) -> int:
        """Return how many an hour of the installation may hold for a person who asked for so many within the hour."""
        return self.of_installation - (self.reserved if asked is None or asked >= self.few else 0)


@dataclass(frozen=True, slots=True)
class Spent:
    """The use of the budgets at `now`: the start of the re-run that lies a whole budget back, None where there is
    none.
    """

    now: datetime
    of_person: datetime | None
    of_installation: datetime | None
    starts: tuple[datetime, ...]  # of the installation, deferred ones too, in order, from an hour before the next one
    is_whole: bool  # False: later starts were left out
    room: int  # how many starts an hour of the installation may hold for this person


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A request for a re-run of a head; `asked_by` is a GitHub id."""

    repo_id: UUID
    commit_sha: str
    asked_by: int | None
    due_at: datetime
    run_id: UUID | None


async def lock_spent(connection: Connection, repo_id: UUID, asked_by: int | None, budget: RerunBudget) -> Spent:
    """Return where the budgets of the person and of the repository's installation stand. Wants a transaction.

    Until it ends, nobody else's request is counted against them.
    """
    installation_id = await connection.fetchval("SELECT installation_id FROM repos WHERE id = $1", repo_id)
    # Of nobody, nothing is counted: two deliveries without a sender need not wait for one another.
    for name in (installation_id and f"reruns/{installation_id}", asked_by and f"reruns/person/{asked_by}"):
        if name is None:
            continue
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)
    room = budget.room_for(None if asked_by is None else await _count_lately(connection, asked_by))
    row = await connection.fetchrow(
        """
        WITH back AS MATERIALIZED (SELECT clock_timestamp() AS now,
            (SELECT due_at FROM rerun_requests WHERE asked_by = $1 ORDER BY due_at DESC OFFSET $3 LIMIT 1) AS of_person,
            (SELECT due_at FROM rerun_requests WHERE installation_id = $2 ORDER BY due_at DESC OFFSET $4 LIMIT 1)
                AS of_installation)
        SELECT back.*, ARRAY(SELECT q.due_at FROM rerun_requests q WHERE q.installation_id = $2
            AND q.due_at > greatest(back.now - interval '1 hour', back.of_person) ORDER BY q.due_at LIMIT $5) AS starts
        FROM back
        """,
        asked_by,
        installation_id,
        budget.of_person - 1,
        room - 1,
        READ_STARTS,
    )
    assert row is not None  # a list of values has a row
    starts = tuple(row["starts"])
    return Spent(row["now"], row["of_person"], row["of_installation"], starts, len(starts) < READ_STARTS, room)


async def _count_lately(connection: Connection, asked_by: int) -> int:
    """Count the re-runs that the person asked for and that start within the last hour or later."""
    found: int = await connection.fetchval(
        "SELECT count(*) FROM rerun_requests WHERE asked_by = $1 AND due_at > clock_timestamp() - interval '1 hour'",
        asked_by,
    )
    return found


async def insert_request(connection: Connection, new: NewRequest) -> UUID:
    """Count a re-run, whether it starts now or is deferred."""
    request_id: UUID = await connection.fetchval(
        """
        INSERT INTO rerun_requests (repo_id, installation_id, commit_sha, asked_by, due_at, run_id)
        SELECT $1, (SELECT installation_id FROM repos WHERE id = $1), $2, $3, $4, $5 RETURNING id
        """,
        new.repo_id,
        new.commit_sha,
        new.asked_by,
        new.due_at,
        new.run_id,
    )
    return request_id


async def is_recording(connection: Connection, run_id: UUID, task: str, within_s: int) -> bool:
    """Return whether a job of the task waits or runs for the run, or was asked for within the last seconds.

    A request for a re-run comes before its run ends, and a request to record what a run found after it.
    """
    found: bool = await connection.fetchval(
        f"""
        SELECT EXISTS (SELECT 1 FROM procrastinate_jobs j
            WHERE j.status IN ('todo', 'doing') AND j.task_name = $2 AND {SUBJECT} = $1::uuid::text)
        OR EXISTS (SELECT 1 FROM rerun_requests q JOIN audit_runs a ON a.id = q.run_id
            WHERE a.id = $1::uuid AND q.created_at > a.completed_at
                AND q.created_at > now() - make_interval(secs => $3))
        """,  # noqa: S608  (an expression of ours)
        run_id,
        task,
        within_s,
    )
    return found


async def find_due(connection: Connection, repo_id: UUID, commit_sha: str) -> datetime | None:
    """Return when the head's deferred re-run starts; None where none is deferred."""
    found: datetime | None = await connection.fetchval(
        "SELECT min(due_at) FROM rerun_requests WHERE repo_id = $1 AND commit_sha = $2 AND run_id IS NULL",
        repo_id,
        commit_sha,
    )
    return found


async def find_deferred(connection: Connection, request_id: UUID) -> tuple[UUID, str] | None:
    """Return repository and commit of a request that is still deferred."""
    row = await connection.fetchrow(
        "SELECT repo_id, commit_sha FROM rerun_requests WHERE id = $1 AND run_id IS NULL", request_id
    )
    return None if row is None else (row["repo_id"], row["commit_sha"])


async def set_started(connection: Connection, request_id: UUID, run_id: UUID) -> None:
    """Note the run that came of a deferred request."""
    await connection.execute("UPDATE rerun_requests SET run_id = $2 WHERE id = $1", request_id, run_id)


async def drop_request(connection: Connection, request_id: UUID) -> None:
    """Take back a deferred request that nothing can come of."""
    await connection.execute("DELETE FROM rerun_requests WHERE id = $1", request_id)


async def drop_deferred(connection: Connection, repo_id: UUID, commit_sha: str) -> None:
    """Take back the head's deferred re-run, where there is one: another run answers it. Its job finds nothing to do."""
    await connection.execute(
        "DELETE FROM rerun_requests WHERE repo_id = $1 AND commit_sha = $2 AND run_id IS NULL", repo_id, commit_sha
    )


async def set_request_refused(connection: Connection, run_id: UUID) -> None:
    """Note for the run's page that what somebody asked for on GitHub was refused just now."""
    repo_id = await connection.fetchval(
        "UPDATE audit_runs SET request_refused_at = clock_timestamp() WHERE id = $1 RETURNING repo_id", run_id
    )
    await notify_change(connection, repo_id)


async def find_request_refused(connection: Connection, run_id: UUID) -> datetime | None:
    """Return when the last request of the run on GitHub was refused; None where none was."""
    found: datetime | None = await connection.fetchval(
        "SELECT request_refused_at FROM audit_runs WHERE id = $1", run_id
    )
    return found


async def delete_old_requests(connection: Connection) -> None:
    """Delete the requests that no longer count. A deferred one stays, however late its job runs."""
    await connection.execute(
        "DELETE FROM rerun_requests WHERE run_id IS NOT NULL AND due_at < now() - make_interval(hours => $1)",
        KEPT_HOURS,
    )


@dataclass(frozen=True, slots=True)
class OverdueRerun:
    """A deferred request whose job was lost."""

    id: UUID
    repo_id: UUID


async def list_overdue(connection: Connection, after_s: float, limit: int) -> list[OverdueRerun]:
    """Return the deferred requests that should have started `after_s` ago and that no job will start."""
    rows = await connection.fetch(
        f"""
        SELECT q.id, q.repo_id FROM rerun_requests q
        WHERE q.run_id IS NULL AND q.due_at < now() - make_interval(secs => $1) AND (
            SELECT j.id FROM procrastinate_jobs j
            WHERE j.status IN ('todo', 'doing') AND {SUBJECT} = q.id::text LIMIT 1) IS NULL
        ORDER BY q.due_at LIMIT $2
        """,  # noqa: S608  (an expression of ours)
        after_s,
        limit,
    )
    return [OverdueRerun(**row) for row in rows]
