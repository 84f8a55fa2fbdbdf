"""Reads and changes projects, builds and their logs, in the words of a test."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.store.pool import Connection, Pool


async def insert_person(database: Connection | Pool, github_id: int, login: str) -> UUID:
    """Store a person; return our key."""
    key: UUID = await database.fetchval(
        "INSERT INTO users (github_id, github_login) VALUES ($1, $2) RETURNING id", github_id, login
    )
    return key


async def insert_project_row(
    database: Connection | Pool,
    user_id: UUID,
    name: str = "Shop",
    *,
    repo_id: UUID | None = None,
    status: str = "draft",
) -> UUID:
    """Store a project of the person, linked to the repository where one is given; return our key."""
    key: UUID = await database.fetchval(
        "INSERT INTO projects (user_id, name, repo_id, status) VALUES ($1, $2, $3, $4) RETURNING id",
        user_id,
        name,
        repo_id,
        status,
    )
    return key


async def insert_build_row(
    database: Connection | Pool, project_id: UUID, status: str = "running", *, repo_id: UUID | None = None
) -> UUID:
    """Store a build of the project in the status, without job or contracts; return our key."""
    key: UUID = await database.fetchval(
        "INSERT INTO builds (project_id, repo_id, status) VALUES ($1, $2, $3) RETURNING id",
        project_id,
        repo_id,
        status,
    )
    return key


async def insert_numbered_lines(database: Connection | Pool, build_id: UUID, number: int) -> None:
    """Store so many lines of a build's log: `line 1`, `line 2` and so on."""
    await database.execute(
        "INSERT INTO build_logs (build_id, message) SELECT $1, 'line ' || n FROM generate_series(1, $2) n",
        build_id,
        number,
    )


async def is_logged(database: Connection | Pool, build_id: UUID, message: str) -> bool:
    """Return whether a line of the build's log holds the message and nothing else."""
    logged: bool = await database.fetchval(
        "SELECT count(*) > 0 FROM build_logs WHERE build_id = $1 AND message = $2", build_id, message
    )
    return logged


async def get_build_status(database: Connection | Pool, build_id: UUID) -> str:
    """Return the status of the build."""
    status: str = await database.fetchval("SELECT status FROM builds WHERE id = $1", build_id)
    return status


async def get_loop_count(database: Connection | Pool, build_id: UUID) -> int:
    """Return the number of failed attempts of the build's phase."""
    number: int = await database.fetchval("SELECT loop_count FROM builds WHERE id = $1", build_id)
    return number


async def is_beyond_first_phase(database: Connection | Pool, build_id: UUID) -> bool:
    """Return whether the first phase of the build is done."""
    beyond: bool = await database.fetchval("SELECT phase_number > 0 FROM builds WHERE id = $1", build_id)
    return beyond


async def has_base(database: Connection | Pool, build_id: UUID) -> bool:
    """Return whether the commit from which the build starts is known."""
    known: bool = await database.fetchval("SELECT base_sha IS NOT NULL FROM builds WHERE id = $1", build_id)
    return known


async def has_head(database: Connection | Pool, build_id: UUID) -> bool:
    """Return whether the build has a commit of its own."""
    known: bool = await database.fetchval("SELECT head_sha IS NOT NULL FROM builds WHERE id = $1", build_id)
    return known


async def has_ended(database: Connection | Pool, build_id: UUID) -> bool:
    """Return whether the build is at its end, whatever that is."""
    ended: bool = await database.fetchval("SELECT completed_at IS NOT NULL FROM builds WHERE id = $1", build_id)
    return ended


async def has_stopped(database: Connection | Pool, build_id: UUID) -> bool:
    """Return whether the build waits for an approval or is at its end."""
    stopped: bool = await database.fetchval(
        "SELECT status IN ('awaiting_approval', 'completed', 'failed', 'cancelled') FROM builds WHERE id = $1", build_id
    )
    return stopped


async def get_project_status(database: Connection | Pool, project_id: UUID) -> str:
    """Return the status of the project."""
    status: str = await database.fetchval("SELECT status FROM projects WHERE id = $1", project_id)
    return status
