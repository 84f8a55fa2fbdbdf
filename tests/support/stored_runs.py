"""Reads and changes audit runs and their check runs, in the words of a test."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection, Pool


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


async def get_run_id_of_branch(database: Connection | Pool, branch: str) -> UUID:
    """Return our key of an audit run of the branch."""
    key: UUID = await _one(database, "SELECT id FROM audit_runs WHERE branch = $1 LIMIT 1", branch)
    return key


async def get_run_status(database: Connection | Pool, commit_sha: str | None = None) -> str:
    """Return the status of an audit run: of the commit's, or of the only one."""
    status: str = await _one(database, "SELECT status FROM audit_runs WHERE commit_sha = $1 OR $1 IS NULL", commit_sha)
    return status


async def get_status_of_run(database: Connection | Pool, run_id: UUID) -> str:
    """Return the status of the audit run with our key."""
    status: str = await _one(database, "SELECT status FROM audit_runs WHERE id = $1", run_id)
    return status


async def get_run_status_of_repo(database: Connection | Pool, github_id: int) -> str:
    """Return the status of the only audit run of the repository with GitHub's id."""
    status: str = await _one(
        database,
        "SELECT a.status FROM audit_runs a JOIN repos r ON r.id = a.repo_id WHERE r.github_repo_id = $1",
        github_id,
    )
    return status


async def get_base_sha(database: Connection | Pool, commit_sha: str | None = None) -> str | None:
    """Return the base commit of an audit run: of the commit's, or of the only one."""
    sha: str | None = await _one(
        database, "SELECT base_sha FROM audit_runs WHERE commit_sha = $1 OR $1 IS NULL", commit_sha
    )
    return sha


async def list_base_shas(database: Connection | Pool, commit_sha: str | None = None) -> list[str | None]:
    """Return the base commit of each audit run, or of each of the commit's."""
    rows = await database.fetch("SELECT base_sha FROM audit_runs WHERE commit_sha = $1 OR $1 IS NULL", commit_sha)
    return [row["base_sha"] for row in rows]


async def list_evaluated_branches(
    database: Connection | Pool, commit_sha: str | None = None, trigger: str | None = None
) -> list[str]:
    """Return the branch for which each run was evaluated, sorted: of the commit's runs, or of those of the trigger.

    An empty string stands for no branch.
    """
    rows = await database.fetch(
        """
        SELECT evaluated_target FROM audit_runs
        WHERE (commit_sha = $1 OR $1 IS NULL) AND (trigger = $2 OR $2 IS NULL)
        """,
        commit_sha,
        trigger,
    )
    return sorted(row["evaluated_target"] for row in rows)


async def count_runs(database: Connection | Pool, commit_sha: str | None = None) -> int:
    """Return the number of audit runs, of the commit where one is given."""
    number: int = await _one(
        database, "SELECT count(*) FROM audit_runs WHERE commit_sha = $1 OR $1 IS NULL", commit_sha
    )
    return number


async def has_run(database: Connection | Pool, commit_sha: str) -> bool:
    """Return whether the commit has an audit run, at its push or at the installation."""
    return await count_runs(database, commit_sha) > 0


async def count_reruns(database: Connection | Pool) -> int:
    """Return the number of audit runs that somebody asked for."""
    number: int = await _one(database, "SELECT count(*) FROM audit_runs WHERE trigger = 'rerun'")
    return number


async def count_completed_runs(database: Connection | Pool) -> int:
    """Return the number of audit runs that came to a verdict."""
    number: int = await _one(database, "SELECT count(*) FROM audit_runs WHERE status = 'completed'")
    return number


async def count_uncompleted_runs(database: Connection | Pool) -> int:
    """Return the number of audit runs that wait, run, failed or were cancelled."""
    number: int = await _one(database, "SELECT count(*) FROM audit_runs WHERE status <> 'completed'")
    return number


async def count_begun_runs(database: Connection | Pool) -> int:
    """Return the number of audit runs that wait or run."""
    number: int = await _one(database, "SELECT count(*) FROM audit_runs WHERE status IN ('pending', 'running')")
    return number


async def count_completed_reruns(database: Connection | Pool) -> int:
    """Return the number of audit runs that somebody asked for and that came to a verdict."""
    number: int = await _one(
        database, "SELECT count(*) FROM audit_runs WHERE trigger = 'rerun' AND status = 'completed'"
    )
    return number


async def count_published_reruns(database: Connection | Pool) -> int:
    """Return the number of audit runs that somebody asked for and whose verdict is published."""
    number: int = await _one(
        database, "SELECT count(*) FROM audit_runs WHERE trigger = 'rerun' AND published_at IS NOT NULL"
    )
    return number


async def count_unpublished_runs(database: Connection | Pool) -> int:
    """Return the number of audit runs whose verdict is not published."""
    number: int = await _one(database, "SELECT count(*) FROM audit_runs WHERE published_at IS NULL")
    return number


async def count_refused_runs(database: Connection | Pool) -> int:
    """Return the number of audit runs whose verdict GitHub did not take."""
    number: int = await _one(database, "SELECT count(*) FROM audit_runs WHERE publish_error IS NOT NULL")
    return number


async def count_written_check_runs(database: Connection | Pool) -> int:
    """Return the number of check runs whose id at GitHub is known."""
    number: int = await _one(database, "SELECT count(*) FROM check_runs WHERE github_id IS NOT NULL")
    return number


async def count_sent_check_runs(database: Connection | Pool) -> int:
    """Return the number of check runs whose write to GitHub was begun."""
    number: int = await _one(database, "SELECT count(*) FROM check_runs WHERE sending_at IS NOT NULL")
    return number


async def forget_check_runs(database: Connection | Pool) -> None:
    """Forget what was written to GitHub."""
    await database.execute("DELETE FROM check_runs")


async def unpublish_runs(database: Connection | Pool) -> None:
    """Let every verdict count as not published."""
    await database.execute("UPDATE audit_runs SET published_at = NULL")


async def _one(database: Connection | Pool, query: str, *values: object) -> Any:
    return await database.fetchval(query, *values)
