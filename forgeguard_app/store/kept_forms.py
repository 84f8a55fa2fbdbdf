"""Forms that were sent after their session ended, kept until their person is signed in again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection

KEPT_S = 3_600
MAX_KEPT = 5  # of one person; the oldest are deleted


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A kept form; `content` is ciphertext."""

    id: UUID
    user_id: UUID
    github_login: str
    path: str
    content: str


async def insert_kept_form(
    connection: Connection, user_id: UUID, browser_hash: str, path: str, content: str
) -> UUID | None:
    """Keep a form for its person in this browser; None where the person is gone."""
    await connection.execute("DELETE FROM kept_forms WHERE expires_at < now()")
    found: UUID | None = await connection.fetchval(
        """
        INSERT INTO kept_forms (user_id, browser_hash, path, content, created_at, expires_at)
        SELECT id, $2, $3, $4, clock_timestamp(), now() + make_interval(secs => $5) FROM users WHERE id = $1
            RETURNING id
        """,
        user_id,
        browser_hash,
        path,
        content,
        KEPT_S,
    )
    await connection.execute(
        "DELETE FROM kept_forms WHERE id IN "
        "(SELECT id FROM kept_forms WHERE user_id = $1 ORDER BY created_at DESC OFFSET $2)",
        user_id,
        MAX_KEPT,
    )
    return found


async def find_kept_form(connection: Connection, form_id: UUID, browser_hash: str) -> KeptForm | None:
    """Return the form that this browser sent, while it is kept."""
    row = await connection.fetchrow(
        """
        SELECT k.id, k.user_id, u.github_login, k.path, k.content FROM kept_forms k JOIN users u ON u.id = k.user_id
        WHERE k.id = $1 AND k.browser_hash = $2 AND k.expires_at > now()
        """,
        form_id,
        browser_hash,
    )
    return None if row is None else KeptForm(**row)


async def delete_kept_form(connection: Connection, form_id: UUID, user_id: UUID) -> None:
    """Delete a form that its person sent again, or dropped."""
    await connection.execute("DELETE FROM kept_forms WHERE id = $1 AND user_id = $2", form_id, user_id)


async def delete_expired_forms(connection: Connection) -> None:
    """Delete the forms whose hour is over."""
    await connection.execute("DELETE FROM kept_forms WHERE expires_at < now()")


async def list_sealed_forms(connection: Connection) -> list[tuple[UUID, str]]:
    """Return key and ciphertext of every kept form, each held until the transaction ends."""
    rows = await connection.fetch("SELECT id, content FROM kept_forms FOR UPDATE")
    return [(row["id"], row["content"]) for row in rows]


async def set_sealed_form(connection: Connection, form_id: UUID, content: str) -> None:
    """Store a form that was sealed again."""
    await connection.execute("UPDATE kept_forms SET content = $2 WHERE id = $1", form_id, content)
