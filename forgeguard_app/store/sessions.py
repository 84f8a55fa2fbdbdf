"""Browsers that are signed in, and personal API tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.changes import access_of, notify_change
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.states import TokenScope

LIFE_DAYS = 30
SEEN_EVERY_S = 300
MAX_SESSIONS = 50  # a person's; the oldest go
MAX_TOKENS = 50


@dataclass(frozen=True, slots=True)
class Signed:
    """The person of a session or a token; `scope` is None for a browser."""

    user_id: UUID
    github_id: int
    github_login: str
    key: UUID
    scope: TokenScope | None


async def insert_session(connection: Connection, user_id: UUID, token_hash: str, browser: str) -> UUID:
    """Store the session of a browser that signs in."""
    found: UUID = await connection.fetchval(
        """
        INSERT INTO sessions (user_id, token_hash, browser, expires_at)
        VALUES ($1, $2, $3, now() + make_interval(days => $4)) RETURNING id
        """,
        user_id,
        token_hash,
        browser,
        LIFE_DAYS,
    )
    await connection.execute(
        "DELETE FROM sessions WHERE expires_at < now() OR id IN "
        "(SELECT id FROM sessions WHERE user_id = $1 ORDER BY created_at DESC OFFSET $2)",
        user_id,
        MAX_SESSIONS,
    )
    return found


async def find_session(connection: Connection, token_hash: str) -> Signed | None:
    """Return the person who is signed in with this browser."""
    row = await connection.fetchrow(
        """
        SELECT u.id AS user_id, u.github_id, u.github_login, s.id AS key, NULL::text AS scope,
            s.seen_at < now() - make_interval(secs => $2) AS is_old
        FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = $1 AND s.expires_at > now()
        """,
        token_hash,
        SEEN_EVERY_S,
    )
    if row is None:
        return None
    if row["is_old"]:
        await connection.execute("UPDATE sessions SET seen_at = now() WHERE id = $1", row["key"])
    return Signed(row["user_id"], row["github_id"], row["github_login"], row["key"], None)


@dataclass(frozen=True, slots=True)
class Session:
    """One browser, as its owner sees it."""

    id: UUID
    browser: str
    created_at: datetime
    seen_at: datetime


async def list_sessions(connection: Connection, user_id: UUID) -> list[Session]:
    """Return a person's browsers, the last seen first."""
    rows = await connection.fetch(
        "SELECT id, browser, created_at, seen_at FROM sessions WHERE user_id = $1 AND expires_at > now() "
        "ORDER BY seen_at DESC",
        user_id,
    )
    return [Session(**row) for row in rows]


async def delete_session(connection: Connection, user_id: UUID, session_id: UUID) -> None:
    """Sign one browser out."""
    await connection.execute("DELETE FROM sessions WHERE id = $1 AND user_id = $2", session_id, user_id)
    await notify_change(connection, access_of(user_id))


async def delete_session_of(connection: Connection, token_hash: str) -> None:
    """End the session with this secret."""
    user_id = await connection.fetchval("DELETE FROM sessions WHERE token_hash = $1 RETURNING user_id", token_hash)
    if user_id is not None:
        await notify_change(connection, access_of(user_id))


async def delete_sessions(connection: Connection, user_id: UUID, *, tokens_too: bool = False) -> None:
    """Sign every browser of the person out; with `tokens_too` their API tokens are deleted.

    Wants a transaction.
    """
    await connection.execute("DELETE FROM sessions WHERE user_id = $1", user_id)
    if tokens_too:
        await connection.execute("DELETE FROM api_tokens WHERE user_id = $1", user_id)
    await notify_change(connection, access_of(user_id))


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A personal API token, without its value."""

    id: UUID
    name: str
    scope: TokenScope
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime


_LISTED = "id, name, scope, created_at, used_at, expires_at"


async def insert_token(
    connection: Connection, user_id: UUID, name: str, token_hash: str, scope: str, days: int
) -> ApiToken | None:
    """Return a new token; None where the person has as many as anybody may have."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO api_tokens (user_id, name, token_hash, scope, expires_at)
        SELECT $1, $2, $3, $4, now() + make_interval(days => $5)
        WHERE (SELECT count(*) FROM api_tokens WHERE user_id = $1 AND expires_at > now()) < $6 RETURNING {_LISTED}
        """,  # noqa: S608
        user_id,
        name,
        token_hash,
        scope,
        days,
        MAX_TOKENS,
    )
    return None if row is None else ApiToken(**{**row, "scope": TokenScope(row["scope"])})


async def find_token(connection: Connection, token_hash: str) -> Signed | None:
    """Whose token it is."""
    row = await connection.fetchrow(
        """
        SELECT u.id AS user_id, u.github_id, u.github_login, t.id AS key, t.scope,
            coalesce(t.used_at < now() - make_interval(secs => $2), true) AS is_old
        FROM api_tokens t JOIN users u ON u.id = t.user_id WHERE t.token_hash = $1 AND t.expires_at > now()
        """,
        token_hash,
        SEEN_EVERY_S,
    )
    if row is None:
        return None
    if row["is_old"]:
        await connection.execute("UPDATE api_tokens SET used_at = now() WHERE id = $1", row["key"])
    return Signed(row["user_id"], row["github_id"], row["github_login"], row["key"], TokenScope(row["scope"]))


async def list_tokens(connection: Connection, user_id: UUID) -> list[ApiToken]:
    """Return a person's tokens that still hold, the newest first."""
    rows = await connection.fetch(
        f"SELECT {_LISTED} FROM api_tokens WHERE user_id = $1 AND expires_at > now() ORDER BY created_at DESC",  # noqa: S608
        user_id,
    )
    return [ApiToken(**{**row, "scope": TokenScope(row["scope"])}) for row in rows]


async def delete_token(connection: Connection, user_id: UUID, token_id: UUID) -> bool:
    """Delete the token; False where the person has no such token."""
    found = await connection.fetchval(
        "DELETE FROM api_tokens WHERE id = $1 AND user_id = $2 RETURNING id", token_id, user_id
    )
    await notify_change(connection, access_of(user_id))
    return found is not None
