"""The changes of builds that people approve before they are pushed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from forgeguard_app.store.claims import release
from forgeguard_app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class BuildChange:
    """One file's change as it is shown: `kind` is added, changed or deleted; `key` names its content."""

    key: str
    path: str
    kind: str
    difference: str


@dataclass(frozen=True, slots=True)
class Review:
    """The question that a phase's work puts to people: its commit, its audit, and the changes to approve."""

    commit: str
    audit: Mapping[str, Any] | None
    changes: Sequence[BuildChange]


@dataclass(frozen=True, slots=True)
class Approved:
    """A change that somebody approved."""

    path: str
    kind: str
    approved_login: str | None
    approved_at: datetime


async def list_approved_keys(connection: Connection, build_id: UUID, keys: Collection[str]) -> set[str]:
    """Return which of these changes a person approved."""
    rows = await connection.fetch(
        """
        SELECT change_key FROM build_changes
        WHERE build_id = $1 AND change_key = ANY($2::text[]) AND approved_at IS NOT NULL
        """,
        build_id,
        list(keys),
    )
    return {row["change_key"] for row in rows}


async def list_asked(connection: Connection, build_id: UUID) -> list[BuildChange]:
    """Return the changes that the build waits to have approved, in their order."""
    rows = await connection.fetch(
        """
        SELECT c.change_key AS key, c.path, c.kind, c.difference FROM build_changes c JOIN builds b ON b.id = c.build_id
        WHERE b.id = $1 AND b.status = 'awaiting_approval' AND c.review_sha = b.review_sha AND c.approved_at IS NULL
        ORDER BY c.position
        """,
        build_id,
    )
    return [BuildChange(**row) for row in rows]


async def list_approved(connection: Connection, build_id: UUID, most: int) -> list[Approved]:
    """Return the build's changes that were approved, the newest first."""
    rows = await connection.fetch(
        """
        SELECT path, kind, approved_login, approved_at FROM build_changes
        WHERE build_id = $1 AND approved_at IS NOT NULL ORDER BY approved_at DESC, position LIMIT $2
        """,
        build_id,
        most,
    )
    return [Approved(**row) for row in rows]


async def set_review(connection: Connection, build_id: UUID, number: int, review: Review) -> bool:
    """Let the build wait for a person. False where it is at its end, or somebody cancels it. Wants a transaction."""
    waits = await connection.fetchval(
        """
        UPDATE builds SET status = 'awaiting_approval', review_sha = $2, tried_sha = $2, waiting_since = now()
        WHERE id = $1 AND status = 'running' AND cancel_requested_at IS NULL RETURNING id
        """,
        build_id,
        review.commit,
    )
    if waits is None:
        return False
    await release(connection, build_id)
    await connection.execute(
        """
        UPDATE build_phases SET status = 'awaiting_approval', audit = $3::jsonb WHERE build_id = $1 AND number = $2
        """,
        build_id,
        number,
        None if review.audit is None else json.dumps(review.audit, ensure_ascii=False),
    )
    await _ask(connection, build_id, review)
    return True


async def _ask(connection: Connection, build_id: UUID, review: Review) -> None:
    await connection.execute("DELETE FROM build_changes WHERE build_id = $1 AND approved_at IS NULL", build_id)
    await connection.executemany(
        """
        INSERT INTO build_changes (build_id, change_key, review_sha, position, path, kind, difference)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        [
            (build_id, change.key, review.commit, position, change.path, change.kind, change.difference)
            for position, change in enumerate(review.changes)
        ],
    )


async def answer_review(connection: Connection, build_id: UUID, commit: str) -> int | None:
    """Let the build that waits with this commit go on. Return its phase's number; None where it does not wait with it.

    Wants a transaction.
    """
    number: int | None = await connection.fetchval(
        """
        UPDATE builds SET status = 'running', waited = waited + (now() - waiting_since), waiting_since = NULL
        WHERE id = $1 AND status = 'awaiting_approval' AND review_sha = $2 RETURNING phase_number
        """,
        build_id,
        commit,
    )
    if number is not None:
        await connection.execute(
            "UPDATE build_phases SET status = 'running' WHERE build_id = $1 AND number = $2", build_id, number
        )
    return number


async def approve_changes(connection: Connection, build_id: UUID, commit: str, user_id: UUID, login: str) -> None:
    """Note that the person approves what was asked with this commit."""
    await connection.execute(
        """
        UPDATE build_changes SET approved_by = $3, approved_login = $4, approved_at = now()
        WHERE build_id = $1 AND review_sha = $2 AND approved_at IS NULL
        """,
        build_id,
        commit,
        user_id,
        login,
    )


async def list_unanswered(connection: Connection, days: float, most: int) -> list[UUID]:
    """Return the builds that have waited for longer than so many days."""
    rows = await connection.fetch(
        """
        SELECT id FROM builds
            WHERE status = 'awaiting_approval' AND waiting_since < now() - make_interval(secs => $1 * 86400)
        ORDER BY waiting_since LIMIT $2
        """,
        days,
        most,
    )
    return [row["id"] for row in rows]


async def delete_old_changes(connection: Connection, days: int, most: int) -> int:
    """Delete a batch of changes of builds that ended so many days ago. Return their number."""
    gone = await connection.execute(
        """
        DELETE FROM build_changes WHERE id IN (
            SELECT c.id FROM build_changes c JOIN builds b ON b.id = c.build_id
            WHERE b.completed_at < now() - make_interval(days => $1) LIMIT $2)
        """,
        days,
        most,
    )
    return int(gone.rpartition(" ")[2])
