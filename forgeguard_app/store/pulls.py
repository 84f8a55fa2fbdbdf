"""Pull requests: which head aims at which base."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.states import PullState


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull request."""

    number: int
    state: PullState
    head_sha: str
    head_ref: str
    head_repo_github_id: int | None
    base_ref: str
    github_updated_at: datetime | None = None


async def upsert_pull(connection: Connection, repo_id: UUID, pull: Pull) -> None:
    """Store the pull request as an event gives it, unless a newer state is known."""
    await connection.execute(
        """
        INSERT INTO pulls AS p (repo_id, number, state, head_sha, head_ref, head_repo_github_id, base_ref,
            github_updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (repo_id, number) DO UPDATE SET
            state = excluded.state, head_sha = excluded.head_sha, head_ref = excluded.head_ref,
            head_repo_github_id = excluded.head_repo_github_id, base_ref = excluded.base_ref,
            github_updated_at = coalesce(excluded.github_updated_at, p.github_updated_at), updated_at = now()
        WHERE p.github_updated_at IS NULL OR excluded.github_updated_at IS NULL
            OR p.github_updated_at <= excluded.github_updated_at
        """,
        repo_id,
        pull.number,
        pull.state,
        pull.head_sha,
        pull.head_ref,
        pull.head_repo_github_id,
        pull.base_ref,
        pull.github_updated_at,
    )


_PULL = "number, state, head_sha, head_ref, head_repo_github_id, base_ref, github_updated_at"


async def find_pull(connection: Connection, repo_id: UUID, number: int) -> Pull | None:
    """Return the pull request as it is known."""
    row = await connection.fetchrow(f"SELECT {_PULL} FROM pulls WHERE repo_id = $1 AND number = $2", repo_id, number)  # noqa: S608
    return None if row is None else _pull(row)


async def find_open_pull(
    connection: Connection, repo_id: UUID, head_sha: str, base_ref: str, *, fork: bool
) -> Pull | None:
    """Return the oldest open pull request with that head and base, of a fork or of our own."""
    row = await connection.fetchrow(
        f"""
        SELECT {_PULL} FROM pulls
        WHERE repo_id = $1 AND state = 'open' AND head_sha = $2 AND base_ref = $3 AND $4 =
            (head_repo_github_id IS DISTINCT FROM (SELECT github_repo_id FROM repos WHERE id = $1))
        ORDER BY number LIMIT 1
        """,  # noqa: S608
        repo_id,
        head_sha,
        base_ref,
        fork,
    )
    return None if row is None else _pull(row)


def _pull(row: Any) -> Pull:
    return Pull(**{**row, "state": PullState(row["state"])})


async def list_open_pulls(connection: Connection, repo_id: UUID, head_sha: str, head_ref: str | None) -> list[Pull]:
    """Return the repository's own open pull requests with that head, the oldest first.

    A push may be here before its pull request's event, so that the branch counts too. A fork's never do: a stranger's
    branch bears any name and any commit of ours.
    """
    rows = await connection.fetch(
        f"""
        SELECT {_PULL} FROM pulls
        WHERE repo_id = $1 AND state = 'open' AND (head_sha = $2 OR head_ref = $3)
            AND head_repo_github_id = (SELECT github_repo_id FROM repos WHERE id = $1)
        ORDER BY number
        """,  # noqa: S608
        repo_id,
        head_sha,
        head_ref,
    )
    return [_pull(row) for row in rows]


async def list_left_out(
    connection: Connection, repo_id: UUID, open_numbers: Collection[int], listed_at: datetime
) -> list[int]:
    """Return the open pull requests that GitHub's list does not hold and that were heard of before it was begun."""
    rows = await connection.fetch(
        """
        SELECT number FROM pulls WHERE repo_id = $1 AND state = 'open' AND NOT number = ANY($2::integer[])
            AND updated_at < $3
        ORDER BY number
        """,
        repo_id,
        list(open_numbers),
        listed_at,
    )
    return [row["number"] for row in rows]


async def close_pull(connection: Connection, repo_id: UUID, number: int, asked_at: datetime) -> None:
    """Close a pull request that GitHub does not have, unless it was heard of after GitHub was asked."""
    await connection.execute(
        """
        UPDATE pulls SET state = 'closed', updated_at = now()
        WHERE repo_id = $1 AND number = $2 AND state = 'open' AND updated_at < $3
        """,
        repo_id,
        number,
        asked_at,
    )
