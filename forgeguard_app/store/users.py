"""People who signed in."""

from __future__ import annotations

from forgeguard_app.store.pool import Connection


async def drop_access(connection: Connection, github_id: int) -> None:
    """What a person let us do in their name is taken back."""
    await connection.execute("UPDATE users SET access_token = NULL, updated_at = now() WHERE github_id = $1", github_id)
