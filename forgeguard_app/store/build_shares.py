"""Counts builds of a person and of an account, and decides whose build comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import SUBJECT


@dataclass(frozen=True, slots=True)
class BuildCounts:
    """The number of builds under way, and of those that a person began within the last hour."""

    of_person: int
    of_account: int
    within_hour: int


async def count_builds(connection: Connection, user_id: UUID, installation_id: UUID | None) -> BuildCounts:
    """Count builds of the person, and those in the account's repositories.

    Until the transaction ends, nobody else counts.
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('count_builds', 0))")
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE b.user_id = $1 AND b.status IN ('pending', 'running',
            'awaiting_approval')) AS of_person,
            count(*) FILTER (WHERE r.installation_id = $2 AND b.status IN ('pending', 'running',
                'awaiting_approval')) AS of_account,
            count(*) FILTER (WHERE b.user_id = $1 AND b.created_at > now() - interval '1 hour') AS within_hour
        FROM builds b LEFT JOIN repos r ON r.id = b.repo_id
        WHERE b.status IN ('pending', 'running', 'awaiting_approval') OR b.created_at > now() - interval '1 hour'
        """,
        user_id,
        installation_id,
    )
    assert row is not None  # an aggregate has a row
    return BuildCounts(**row)


async def is_over_share(connection: Connection, build_id: UUID, building: Sequence[UUID]) -> bool:
    """Return whether the build's person has one among `building` already, while somebody else's build waits.

    A build waits while its job does, between two of its phases too.
    """
    found: bool = await connection.fetchval(
        f"""
        SELECT EXISTS (SELECT 1 FROM builds b JOIN builds own ON own.user_id = b.user_id
                WHERE b.id = $1 AND own.id = ANY($2::uuid[]) AND own.id <> b.id)
            AND EXISTS (SELECT 1 FROM builds b JOIN builds other ON other.user_id IS DISTINCT FROM b.user_id
                JOIN procrastinate_jobs j ON {SUBJECT} = other.id::text AND j.status = 'todo'
                WHERE b.id = $1 AND other.status IN ('pending', 'running') AND other.id <> ALL($2::uuid[]))
        """,  # noqa: S608  (an expression of ours)
        build_id,
        list(building),
    )
    return found
