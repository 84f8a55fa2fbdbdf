"""Reads and changes what the database holds, in the words of a test."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection, Pool


async def get_repo_id(database: Connection | Pool, github_id: int | None = None) -> UUID:
    """Return our key of a repository: of the one with GitHub's id, or of the only one."""
    key: UUID = await _one(database, "SELECT id FROM repos WHERE github_repo_id = $1 OR $1 IS NULL", github_id)
    return key


async def get_repo_name(database: Connection | Pool) -> str:
    """Return the full name of the only repository."""
    name: str = await _one(database, "SELECT full_name FROM repos")
    return name


async def is_private(database: Connection | Pool) -> bool:
    """Return whether the only repository is private."""
    private: bool = await _one(database, "SELECT private FROM repos")
    return private


async def get_run_id(database: Connection | Pool, commit_sha: str | None = None) -> UUID:
    """Return our key of an audit run: of the commit's, or of the only one."""
    key: UUID = await _one(database, "SELECT id FROM audit_runs WHERE commit_sha = $1 OR $1 IS NULL", commit_sha)
    return key


async def get_newest_run_id(database: Connection | Pool) -> UUID:
    """Return our key of the audit run that was made last."""
    key: UUID = await _one(database, "SELECT id FROM audit_runs ORDER BY created_at DESC LIMIT 1")
    return key


async def get_rerun_id(database: Connection | Pool) -> UUID:
    """Return our key of the only run that somebody asked for."""
    key: UUID = await _one(database, "SELECT id FROM audit_runs WHERE trigger = 'rerun'")
    return key


async def count_runs(database: Connection | Pool, commit_sha: str | None = None) -> int:
    """Return the number of audit runs, of the commit where one is given."""
    number: int = await _one(
        database, "SELECT count(*) FROM audit_runs WHERE commit_sha = $1 OR $1 IS NULL", commit_sha
    )
    return number


async def get_user_id(database: Connection | Pool, github_id: int | None = None) -> UUID:
    """Return our key of a person: of the one with GitHub's id, or of the only one."""
    key: UUID = await _one(database, "SELECT id FROM users WHERE github_id = $1 OR $1 IS NULL", github_id)
    return key


async def get_installation_key(database: Connection | Pool) -> UUID:
    """Return our key of the only installation."""
    key: UUID = await _one(database, "SELECT id FROM installations")
    return key


async def get_github_installation_id(database: Connection | Pool) -> int:
    """Return GitHub's id of the only installation."""
    number: int = await _one(database, "SELECT github_installation_id FROM installations")
    return number


async def get_installation_status(database: Connection | Pool) -> str:
    """Return the status of the only installation."""
    status: str = await _one(database, "SELECT status FROM installations")
    return status


async def count_kept_forms(database: Connection | Pool) -> int:
    """Return the number of forms that are kept for people who sign in."""
    number: int = await _one(database, "SELECT count(*) FROM kept_forms")
    return number


async def count_access_answers(database: Connection | Pool, user_id: UUID) -> int:
    """Return the number of repositories for which GitHub's answer on the person is kept."""
    number: int = await _one(database, "SELECT count(*) FROM access_answers WHERE user_id = $1", user_id)
    return number


async def count_credentials(database: Connection | Pool) -> int:
    """Return the number of Apps whose credentials are stored."""
    number: int = await _one(database, "SELECT count(*) FROM app_credentials")
    return number


async def drop_jobs(database: Connection | Pool) -> None:
    """Delete every job, as if its work were lost."""
    await database.execute("DELETE FROM procrastinate_jobs")


async def forget_access_checks(database: Connection | Pool) -> None:
    """Let GitHub be asked anew what each person may see."""
    await database.execute("UPDATE users SET access_checked_at = NULL")


async def lift_limits(database: Connection | Pool) -> None:
    """End every wait for GitHub's rate limit."""
    await database.execute("UPDATE rate_limits SET blocked_until = NULL")


async def forget_check_runs(database: Connection | Pool) -> None:
    """Forget what was written to GitHub."""
    await database.execute("DELETE FROM check_runs")


async def unpublish_runs(database: Connection | Pool) -> None:
    """Let every verdict count as not published."""
    await database.execute("UPDATE audit_runs SET published_at = NULL")


async def let_heads_be_fresh(database: Connection | Pool) -> None:
    """Let the heads of every repository count as compared just now."""
    await database.execute("UPDATE repos SET heads_checked_at = clock_timestamp()")


async def _one(database: Connection | Pool, query: str, *values: object) -> Any:
    return await database.fetchval(query, *values)
