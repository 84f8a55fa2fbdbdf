"""People who signed in, and what GitHub gave for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.sessions import delete_sessions


@dataclass(frozen=True, slots=True)
class User:
    """A person. Tokens are ciphertext; `expires_s` is the token's life from now, `checked_s` the age of the access."""

    id: UUID
    github_id: int
    github_login: str
    access_token: str | None
    refresh_token: str | None
    expires_s: float | None
    checked_s: float | None

    def __repr__(self) -> str:
        return f"User({self.github_login})"


_COLUMNS = (
    "id, github_id, github_login, access_token, refresh_token,"
    " extract(epoch FROM token_expires_at - clock_timestamp())::float8 AS expires_s,"
    " extract(epoch FROM clock_timestamp() - access_checked_at)::float8 AS checked_s"
)


@dataclass(frozen=True, slots=True)
class AccessReading:
    """When a reading of somebody's access began, and when it was known last before."""

    begun_at: datetime
    checked_at: datetime | None


@dataclass(frozen=True, slots=True)
class SealedTokens:
    """GitHub's tokens as ciphertext; `expires_in_s` None for a token that does not expire."""

    access_token: str
    refresh_token: str | None
    expires_in_s: int | None


async def upsert_user(
    connection: Connection, github_id: int, login: str, avatar_url: str | None, tokens: SealedTokens
) -> UUID:
    """Somebody signed in: their present name and tokens; what they may see is read again."""
    found: UUID = await connection.fetchval(
        """
        INSERT INTO users AS u (github_id, github_login, avatar_url, access_token, refresh_token, token_expires_at)
        VALUES ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))
        ON CONFLICT (github_id) DO UPDATE SET github_login = excluded.github_login, avatar_url = excluded.avatar_url,
            access_token = excluded.access_token, refresh_token = excluded.refresh_token,
            token_expires_at = excluded.token_expires_at, access_checked_at = NULL, updated_at = now()
        RETURNING id
        """,
        github_id,
        login,
        avatar_url,
        tokens.access_token,
        tokens.refresh_token,
        tokens.expires_in_s,
    )
    return found


async def set_tokens(connection: Connection, user_id: UUID, tokens: SealedTokens) -> None:
    """Store renewed tokens."""
    await connection.execute(
        """
        UPDATE users SET access_token = $2, refresh_token = $3, updated_at = now(),
            token_expires_at = clock_timestamp() + make_interval(secs => $4) WHERE id = $1
        """,
        user_id,
        tokens.access_token,
        tokens.refresh_token,
        tokens.expires_in_s,
    )


async def get_user(connection: Connection, user_id: UUID, *, lock: bool = False) -> User:
    """Return the person by our key; with `lock` held against all others until the transaction ends."""
    query = f"SELECT {_COLUMNS} FROM users WHERE id = $1" + (" FOR NO KEY UPDATE" if lock else "")  # noqa: S608
    row = await connection.fetchrow(query, user_id)
    if row is None:
        raise LookupError(f"no user {user_id}")
    return User(**row)


async def set_access(connection: Connection, user_id: UUID, levels: dict[int, str]) -> None:
    """Store the person's access to repositories, as GitHub just gave it. Wants a transaction."""
    await connection.execute("DELETE FROM repo_access WHERE user_id = $1", user_id)
    await connection.execute(
        "INSERT INTO repo_access (user_id, github_repo_id, level) SELECT $1, * FROM unnest($2::bigint[], $3::text[])",
        user_id,
        list(levels),
        list(levels.values()),
    )


async def begin_access(connection: Connection, user_id: UUID) -> AccessReading:
    """Return the moment at which a reading of the person's access begins, and what was known then."""
    row = await connection.fetchrow(
        "SELECT clock_timestamp() AS begun_at, access_checked_at AS checked_at FROM users WHERE id = $1", user_id
    )
    if row is None:
        raise LookupError(f"no user {user_id}")
    return AccessReading(**row)


async def end_access(connection: Connection, user_id: UUID, reading: AccessReading) -> None:
    """Note that the access is known as of the reading's begin, unless an event asked meanwhile for another reading."""
    await connection.execute(
        "UPDATE users SET access_checked_at = $2 WHERE id = $1 AND access_checked_at IS NOT DISTINCT FROM $3",
        user_id,
        reading.begun_at,
        reading.checked_at,
    )


async def find_level(connection: Connection, user_id: UUID, github_repo_id: int) -> str | None:
    """Return the person's access to the repository; None for no access."""
    found: str | None = await connection.fetchval(
        "SELECT level FROM repo_access WHERE user_id = $1 AND github_repo_id = $2", user_id, github_repo_id
    )
    return found


async def forget_access(connection: Connection, github_repo_ids: list[int] | None = None) -> None:
    """Forget who may see these repositories, so that GitHub is asked again; None for all."""
    await connection.execute(
        """
        UPDATE users SET access_checked_at = NULL WHERE access_checked_at IS NOT NULL AND (
            $1::bigint[] IS NULL OR id IN (SELECT user_id FROM repo_access WHERE github_repo_id = ANY($1::bigint[])))
        """,
        github_repo_ids,
    )


async def forget_access_with(connection: Connection, github_installation_id: int) -> None:
    """Forget who may see the installation's repositories, so that GitHub is asked again."""
    await connection.execute(
        """
        UPDATE users SET access_checked_at = NULL WHERE access_checked_at IS NOT NULL AND id IN (
            SELECT a.user_id FROM repo_access a JOIN repos r ON r.github_repo_id = a.github_repo_id
            JOIN installations i ON i.id = r.installation_id WHERE i.github_installation_id = $1)
        """,
        github_installation_id,
    )


async def forget_own_access(connection: Connection, user_id: UUID) -> None:
    """Forget this person's access, so that GitHub is asked again."""
    await connection.execute("UPDATE users SET access_checked_at = NULL WHERE id = $1", user_id)


async def drop_access(connection: Connection, github_id: int) -> None:
    """Delete the sessions, API tokens and access of a person who took the authorization back."""
    user_id = await connection.fetchval(
        """
        UPDATE users SET access_token = NULL, refresh_token = NULL, token_expires_at = NULL, access_checked_at = NULL,
            updated_at = now()
        WHERE github_id = $1 RETURNING id
        """,
        github_id,
    )
    if user_id is not None:
        await delete_sessions(connection, user_id, tokens_too=True)
        await connection.execute("DELETE FROM repo_access WHERE user_id = $1", user_id)
        await connection.execute("DELETE FROM access_answers WHERE user_id = $1", user_id)


@dataclass(frozen=True, slots=True)
class SealedPerson:
    """A person's tokens as ciphertext."""

    id: UUID
    access_token: str | None
    refresh_token: str | None

    def __repr__(self) -> str:
        return f"SealedPerson({self.id})"


async def list_sealed(connection: Connection, after: UUID | None, most: int) -> list[SealedPerson]:
    """Return the next people with tokens by their key, each held until the transaction ends."""
    rows = await connection.fetch(
        """
        SELECT id, access_token, refresh_token FROM users
        WHERE ($1::uuid IS NULL OR id > $1) AND (access_token IS NOT NULL OR refresh_token IS NOT NULL)
        ORDER BY id LIMIT $2 FOR NO KEY UPDATE
        """,
        after,
        most,
    )
    return [SealedPerson(**row) for row in rows]


async def set_sealed(connection: Connection, person: SealedPerson) -> None:
    """Store tokens that were sealed again; they are the same tokens."""
    await connection.execute(
        "UPDATE users SET access_token = $2, refresh_token = $3 WHERE id = $1",
        person.id,
        person.access_token,
        person.refresh_token,
    )
