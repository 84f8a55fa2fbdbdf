"""The outbox of publishing: what GitHub holds of each check of an audit run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One check run on its way to GitHub; `sending_s` is how long ago a write of unknown fate left."""

    check_code: str
    github_id: int | None
    sending_s: float | None
    annotations_sent: int
    published_at: datetime | None


async def want_check_runs(connection: Connection, run_id: UUID, codes: Iterable[str]) -> list[OutboxRow]:
    """Return the outbox rows of the run, made where there are none yet, by check."""
    await connection.executemany(
        "INSERT INTO check_runs (audit_run_id, check_code) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [(run_id, code) for code in codes],
    )
    return await list_outbox(connection, run_id)


async def list_outbox(connection: Connection, run_id: UUID) -> list[OutboxRow]:
    """Return the outbox rows of the run, by check."""
    rows = await connection.fetch(
        """
        SELECT check_code, github_id, extract(epoch FROM clock_timestamp() - sending_at)::float8 AS sending_s,
            annotations_sent, published_at
        FROM check_runs WHERE audit_run_id = $1 ORDER BY check_code
        """,
        run_id,
    )
    return [OutboxRow(**row) for row in rows]


async def set_sending(connection: Connection, run_id: UUID, code: str, github_id: int | None) -> bool:
    """Announce a write that is about to leave; until its answer is stored, its fate is unknown.

    `github_id` is the check run as the writer knows it. False where another writer came in between.
    """
    announced: bool | None = await connection.fetchval(
        """
        UPDATE check_runs SET sending_at = now()
        WHERE audit_run_id = $1 AND check_code = $2 AND published_at IS NULL AND sending_at IS NULL
            AND github_id IS NOT DISTINCT FROM $3
        RETURNING true
        """,
        run_id,
        code,
        github_id,
    )
    return announced is not None


async def find_unsettled_write(connection: Connection, repo_id: UUID, commit_sha: str) -> float | None:
    """Return how many seconds ago the newest write of unknown fate on a commit left; None where there is none."""
    found: float | None = await connection.fetchval(
        """
        SELECT min(extract(epoch FROM clock_timestamp() - c.sending_at))::float8
        FROM check_runs c JOIN audit_runs a ON a.id = c.audit_run_id
        WHERE a.repo_id = $1 AND a.commit_sha = $2
        """,
        repo_id,
        commit_sha,
    )
    return found


async def set_not_sent(connection: Connection, run_id: UUID, code: str) -> None:
    """GitHub refused the write: it did nothing."""
    await connection.execute(
        "UPDATE check_runs SET sending_at = NULL WHERE audit_run_id = $1 AND check_code = $2", run_id, code
    )


async def set_settled(connection: Connection, run_id: UUID, code: str) -> None:
    """GitHub answered with a fault of its own: what it did is unknown, and nothing more will come of it."""
    await connection.execute(
        "UPDATE check_runs SET sending_at = to_timestamp(0) WHERE audit_run_id = $1 AND check_code = $2", run_id, code
    )


async def set_sent(
    connection: Connection, run_id: UUID, code: str, github_id: int, annotations_sent: int, *, final: bool
) -> None:
    """GitHub answered: its id, and how many annotations it holds; `final` where nothing is left to send."""
    await connection.execute(
        """
        UPDATE check_runs SET github_id = $3, annotations_sent = $4, sending_at = NULL,
            published_at = CASE WHEN $5 THEN now() END
        WHERE audit_run_id = $1 AND check_code = $2
        """,
        run_id,
        code,
        github_id,
        annotations_sent,
        final,
    )
