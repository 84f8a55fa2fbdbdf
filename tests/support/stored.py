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


async def is_removed(database: Connection | Pool) -> bool:
    """Return whether the only repository is stored as removed."""
    removed: bool = await _one(database, "SELECT removed_at IS NOT NULL FROM repos")
    return removed


async def count_repos(database: Connection | Pool, github_id: int | None = None) -> int:
    """Return the number of stored repositories, removed or not, or of those with GitHub's id."""
    number: int = await _one(database, "SELECT count(*) FROM repos WHERE github_repo_id = $1 OR $1 IS NULL", github_id)
    return number


async def list_public_repos(database: Connection | Pool) -> set[int]:
    """Return GitHub's ids of the repositories that are stored as public."""
    rows = await database.fetch("SELECT github_repo_id FROM repos WHERE NOT private")
    return {row["github_repo_id"] for row in rows}


async def get_required_checks(database: Connection | Pool, repo_id: UUID) -> list[str] | None:
    """Return the names of the checks that a repository's default branch requires."""
    names: list[str] | None = await _one(database, "SELECT required_checks FROM repos WHERE id = $1", repo_id)
    return names


async def list_open_pulls(database: Connection | Pool) -> list[int]:
    """Return the numbers of the open pull requests, in order."""
    rows = await database.fetch("SELECT number FROM pulls WHERE state = 'open' ORDER BY number")
    return [row["number"] for row in rows]


async def count_pulls(database: Connection | Pool) -> int:
    """Return the number of stored pull requests, open or closed."""
    number: int = await _one(database, "SELECT count(*) FROM pulls")
    return number


async def get_user_id(database: Connection | Pool, github_id: int | None = None) -> UUID:
    """Return our key of a person: of the one with GitHub's id, or of the only one."""
    key: UUID = await _one(database, "SELECT id FROM users WHERE github_id = $1 OR $1 IS NULL", github_id)
    return key


async def get_user_id_of_login(database: Connection | Pool, login: str) -> UUID:
    """Return our key of the person with the login."""
    key: UUID = await _one(database, "SELECT id FROM users WHERE github_login = $1", login)
    return key


async def has_no_token(database: Connection | Pool) -> bool:
    """Return whether no token of GitHub's is kept for the only person."""
    missing: bool = await _one(database, "SELECT access_token IS NULL FROM users")
    return missing


async def count_api_tokens(database: Connection | Pool, name: str | None = None) -> int:
    """Return the number of tokens of our API, or of those of the name."""
    number: int = await _one(database, "SELECT count(*) FROM api_tokens WHERE name = $1 OR $1 IS NULL", name)
    return number


async def count_sessions(database: Connection | Pool) -> int:
    """Return the number of sessions of browsers."""
    number: int = await _one(database, "SELECT count(*) FROM sessions")
    return number


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


async def list_installation_statuses(database: Connection | Pool) -> dict[int, str]:
    """Return the status of each installation by GitHub's id of it."""
    rows = await database.fetch("SELECT github_installation_id, status FROM installations")
    return {row["github_installation_id"]: row["status"] for row in rows}


async def get_account_login(database: Connection | Pool) -> str:
    """Return the login of the account of the only installation."""
    login: str = await _one(database, "SELECT account_login FROM installations")
    return login


async def get_owner_policy(database: Connection | Pool) -> str | None:
    """Return the owner's file that holds for the repositories of the only installation."""
    text: str | None = await _one(database, "SELECT owner_policy FROM installations")
    return text


async def get_notify_error(database: Connection | Pool) -> str | None:
    """Return the reason why the last notice of the only installation was not taken."""
    reason: str | None = await _one(database, "SELECT notify_error FROM installations")
    return reason


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


async def get_newest_outcome(database: Connection | Pool) -> str:
    """Return the outcome of the delivery that was received last."""
    outcome: str = await _one(database, "SELECT outcome FROM deliveries ORDER BY received_at DESC LIMIT 1")
    return outcome


async def count_refused_deliveries(database: Connection | Pool) -> int:
    """Return the number of deliveries in the inbox that could not be read."""
    number: int = await _one(database, "SELECT count(*) FROM deliveries WHERE outcome = 'refused'")
    return number


async def is_lock_awaited(database: Connection | Pool) -> bool:
    """Return whether a transaction of any database waits for a lock."""
    awaited: bool = await _one(database, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
    return awaited


async def count_waiting_backends(database: Connection | Pool) -> int:
    """Return the number of connections to this database that wait for a lock."""
    number: int = await _one(
        database,
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
    )
    return number


async def forget_access_checks(database: Connection | Pool) -> None:
    """Let GitHub be asked anew what each person may see."""
    await database.execute("UPDATE users SET access_checked_at = NULL")


async def lift_limits(database: Connection | Pool) -> None:
    """End every wait for GitHub's rate limit."""
    await database.execute("UPDATE rate_limits SET blocked_until = NULL")


async def let_heads_be_fresh(database: Connection | Pool) -> None:
    """Let the heads of every repository count as compared just now."""
    await database.execute("UPDATE repos SET heads_checked_at = clock_timestamp()")


async def _one(database: Connection | Pool, query: str, *values: object) -> Any:
    return await database.fetchval(query, *values)
