"""Repositories that the App guards."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Repo:
    """One repository."""

    id: UUID
    github_repo_id: int
    full_name: str
    default_branch: str
    private: bool
    installation_id: UUID | None
    link_generation: int  # grows whenever the repository becomes private: links that were signed before end


@dataclass(frozen=True, slots=True)
class RepoFacts:
    """Facts of a repository as GitHub gives them; None where it does not say.

    `as_of` is GitHub's own time of the facts.
    """

    github_repo_id: int
    full_name: str
    default_branch: str | None = None
    private: bool | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownRepo:
    """Our key of a repository; `doubtful` where more was claimed than is stored, so that GitHub is to be asked."""

    id: UUID
    doubtful: bool


_COLUMNS = "id, github_repo_id, full_name, default_branch, private, installation_id, link_generation"


async def upsert_repo(connection: Connection, facts: RepoFacts, installation_id: UUID | None) -> KnownRepo:
    """Store what is said of the repository, as far as it is not older than what is stored.

    Unless the transaction called `believe`, a repository is neither shown nor brought back: a new one begins as
    private, a private one stays so, and one that was removed stays removed.
    """
    row = await connection.fetchrow(
        "SELECT repo_id, doubtful FROM know_repo($1, $2, $3, $4, $5, $6)",
        facts.github_repo_id,
        facts.full_name,
        facts.default_branch,
        facts.private,
        installation_id,
        facts.as_of,
    )
    if row is None:
        raise LookupError("know_repo answers nothing")
    return KnownRepo(row["repo_id"], row["doubtful"])


async def list_ids(connection: Connection, github_repo_ids: Iterable[int]) -> list[UUID]:
    """Return our keys of these repositories, in the order of GitHub's."""
    rows = await connection.fetch(
        "SELECT id FROM repos WHERE github_repo_id = ANY($1::bigint[]) ORDER BY github_repo_id", list(github_repo_ids)
    )
    return [row["id"] for row in rows]


async def set_removed(
    connection: Connection, github_repo_ids: Iterable[int], *, held_before: datetime | None = None
) -> int:
    """Store that the repositories left the installation, and return how many did.

    With `held_before` those that came to it later stay.
    """
    rows = await connection.fetch(
        """
        UPDATE repos SET removed_at = coalesce(removed_at, clock_timestamp()), webhook_active = false,
            updated_at = now(),
            missing_since = NULL
        WHERE github_repo_id = ANY($1::bigint[]) AND ($2::timestamptz IS NULL OR held_since < $2)
        RETURNING id
        """,
        list(github_repo_ids),
        held_before,
    )
    return len(rows)


async def set_removed_with(connection: Connection, github_installation_id: int) -> None:
    """Mark all repositories of an installation as removed with it."""
    await connection.execute(
        """
        UPDATE repos SET removed_at = coalesce(removed_at, clock_timestamp()), webhook_active = false,
            updated_at = now(),
            missing_since = NULL
        WHERE installation_id = (SELECT id FROM installations WHERE github_installation_id = $1)
        """,
        github_installation_id,
    )


async def get_repo(connection: Connection, repo_id: UUID) -> Repo:
    """Return the repository by our key, which a foreign key vouches for."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM repos WHERE id = $1", repo_id)  # noqa: S608
    if row is None:
        raise LookupError(f"no repository {repo_id}")
    return Repo(**row)


async def find_repo(connection: Connection, repo_id: UUID) -> Repo | None:
    """Return the guarded repository by our key."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM repos WHERE id = $1 AND removed_at IS NULL", repo_id)  # noqa: S608
    return None if row is None else Repo(**row)


async def find_repo_named(connection: Connection, full_name: str) -> Repo | None:
    """Return the guarded repository of that present name, in any case."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM repos WHERE lower(full_name) = lower($1) AND removed_at IS NULL"  # noqa: S608
        " ORDER BY updated_at DESC LIMIT 1",
        full_name,
    )
    return None if row is None else Repo(**row)


async def set_full_name(connection: Connection, repo_id: UUID, full_name: str) -> None:
    """Store the name that GitHub gives for the repository's id."""
    await connection.execute("UPDATE repos SET full_name = $2, updated_at = now() WHERE id = $1", repo_id, full_name)


async def set_private(connection: Connection, repo_id: UUID) -> None:
    """Store that GitHub says the repository is private."""
    await connection.execute(
        "UPDATE repos SET private = true, privatized_at = clock_timestamp(), updated_at = now() WHERE id = $1", repo_id
    )


async def get_database_time(connection: Connection) -> datetime:
    """Return the time before a question to GitHub, for `believe`."""
    found: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return found


async def believe(connection: Connection, asked_at: datetime) -> None:
    """Let this transaction store that repositories are public, or guarded again, as GitHub answered to a question.

    `asked_at` is the time of the question. What we learned of a repository after it stays.
    """
    await connection.execute("SELECT set_config('forgeguard.asked_at', $1, true)", asked_at.isoformat())


async def set_default_branch(connection: Connection, repo_id: UUID, branch: str) -> None:
    """Store what the repository itself says its default branch is; what another branch requires is unknown."""
    await connection.execute(
        """
        UPDATE repos SET default_branch = $2, updated_at = now(),
            required_checked_at = CASE WHEN default_branch = $2 THEN required_checked_at END
        WHERE id = $1
        """,
        repo_id,
        branch,
    )


async def set_empty(connection: Connection, repo_id: UUID, *, empty: bool) -> None:
    """Store whether the repository has no commit, and tell the pages that show it."""
    changed = await connection.fetchval(
        "UPDATE repos SET is_empty = $2 WHERE id = $1 AND is_empty <> $2 RETURNING id", repo_id, empty
    )
    if changed is not None:
        await notify_change(connection, repo_id)


async def set_configuration(
    connection: Connection, repo_id: UUID, commit_sha: str, configuration: Mapping[str, Any]
) -> None:
    """Store the configuration of the default branch's newest audited head."""
    await connection.execute(
        "UPDATE repos SET configuration = $2::jsonb, configuration_sha = $3 WHERE id = $1",
        repo_id,
        json.dumps(configuration, ensure_ascii=False),
        commit_sha,
    )


async def set_required_checks(connection: Connection, repo_id: UUID, branch: str, names: Iterable[str] | None) -> None:
    """Store which checks GitHub requires on the default branch, if it still is that one; None where it does not say."""
    await connection.execute(
        """
        UPDATE repos SET required_checks = $3, required_checked_at = clock_timestamp()
        WHERE id = $1 AND default_branch = $2
        """,
        repo_id,
        branch,
        None if names is None else list(names),
    )


async def claim_required(connection: Connection, after_s: float, again_s: float, most: int) -> list[UUID]:
    """Return guarded repositories whose required checks were not read for so long; each falls due again in
    `again_s`.
    """
    rows = await connection.fetch(
        """
        -- ARRAY, since a subquery after IN may run twice and then locks more rows than its limit:
        -- https://www.postgresql.org/docs/current/sql-select.html#SQL-FOR-UPDATE-SHARE
        UPDATE repos SET required_checked_at = clock_timestamp() - make_interval(secs => $1 - $2) WHERE id = ANY(ARRAY(
            SELECT r.id FROM repos r JOIN installations i ON i.id = r.installation_id
            WHERE r.removed_at IS NULL AND i.status = 'active' AND (
                r.required_checked_at IS NULL OR r.required_checked_at < clock_timestamp() - make_interval(secs => $1))
            ORDER BY r.required_checked_at NULLS FIRST LIMIT $3 FOR UPDATE OF r SKIP LOCKED
        ))
        RETURNING id
        """,
        after_s,
        again_s,
        most,
    )
    return [row["id"] for row in rows]


async def find_configuration(connection: Connection, repo_id: UUID) -> tuple[str, dict[str, Any]] | None:
    """Return the commit and its configuration as understood; None where nothing was audited yet."""
    row = await connection.fetchrow(
        "SELECT configuration_sha, configuration FROM repos WHERE id = $1 AND configuration IS NOT NULL", repo_id
    )
    return None if row is None else (row["configuration_sha"], json.loads(row["configuration"]))


async def lock_repo(connection: Connection, repo_id: UUID) -> None:
    """Hold the repository against all others until the transaction ends."""
    # Rows that refer to it are still inserted beside.
    # https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
    await connection.execute("SELECT 1 FROM repos WHERE id = $1 FOR NO KEY UPDATE", repo_id)


async def set_missing_repos(
    connection: Connection, installation_id: UUID, asked_at: datetime, listed: Collection[int]
) -> list[UUID]:
    """Note which repositories a whole list of the installation, begun at `asked_at`, does not hold.

    Returns those that an earlier list did not hold either. What came to the installation later is left out.
    """
    await connection.execute(
        "UPDATE repos SET missing_since = NULL WHERE missing_since IS NOT NULL AND github_repo_id = ANY($1::bigint[])",
        list(listed),
    )
    rows = await connection.fetch(
        """
        UPDATE repos SET missing_since = coalesce(missing_since, $2)
        WHERE installation_id = $1 AND removed_at IS NULL AND held_since < $2 AND NOT github_repo_id = ANY($3::bigint[])
        RETURNING id, missing_since < $2 AS again
        """,
        installation_id,
        asked_at,
        list(listed),
    )
    return sorted(row["id"] for row in rows if row["again"])


async def list_guarded(connection: Connection, github_repo_ids: Iterable[int]) -> dict[int, UUID | None]:
    """Return those of these repositories that are guarded already, each with its installation."""
    rows = await connection.fetch(
        """
        SELECT github_repo_id, installation_id FROM repos
        WHERE github_repo_id = ANY($1::bigint[]) AND removed_at IS NULL
        """,
        list(github_repo_ids),
    )
    return {row["github_repo_id"]: row["installation_id"] for row in rows}


async def get_installation_id(connection: Connection, repo_id: UUID) -> UUID | None:
    """Return the repository's installation, once a change of it that is under way has ended. Wants a transaction."""
    found: UUID | None = await connection.fetchval("SELECT installation_id FROM repos WHERE id = $1 FOR SHARE", repo_id)
    return found


async def belongs_elsewhere(connection: Connection, repo_id: UUID, github_installation_id: int) -> bool:
    """Return whether the repository is stored as another installation's by now."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM repos r JOIN installations i ON i.id = r.installation_id
            WHERE r.id = $1 AND r.removed_at IS NULL AND i.github_installation_id <> $2)
        """,
        repo_id,
        github_installation_id,
    )
    return found


async def claim_unchecked(connection: Connection, after_s: float, most: int) -> list[UUID]:
    """Return guarded repositories whose heads were not looked at for so long; they count as looked at from now on.

    The longest waiting of each installation come first, so that many repositories of one account delay no other's.
    """
    rows = await connection.fetch(
        """
        WITH due AS (
            SELECT r.id, row_number() OVER (PARTITION BY r.installation_id
                ORDER BY r.heads_checked_at NULLS FIRST, r.id) AS turn
            FROM repos r JOIN installations i ON i.id = r.installation_id
            WHERE r.removed_at IS NULL AND i.status = 'active' AND (
                r.heads_checked_at IS NULL OR r.heads_checked_at < clock_timestamp() - make_interval(secs => $1))
        )
        UPDATE repos SET heads_checked_at = clock_timestamp() WHERE id = ANY(ARRAY(
            SELECT r.id FROM repos r JOIN due ON due.id = r.id
            ORDER BY due.turn, r.heads_checked_at NULLS FIRST LIMIT $2 FOR UPDATE OF r SKIP LOCKED
        ))
        RETURNING id
        """,
        after_s,
        most,
    )
    return [row["id"] for row in rows]
