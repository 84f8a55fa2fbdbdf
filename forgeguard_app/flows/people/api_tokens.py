"""Makes personal API tokens for a signed-in person."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.errors import UserError
from forgeguard_app.github.events import clean_text
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.sessions import MAX_TOKENS, ApiToken, insert_token
from forgeguard_app.vault import digest, new_secret

PREFIX = "fgp_"
MAX_NAME_CHARS = 100
MAX_DAYS = 365
SCOPES = ("read", "write")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token with its value, which is shown once and stored nowhere."""

    value: str
    token: ApiToken


async def make_token(pool: Pool, user_id: UUID, name: str, scope: str, days: int) -> NewToken:
    """Return a new personal API token.

    Raises:
        UserError: the name, scope or life is not one, or there are too many.
    """
    name = clean_text(name.strip(), MAX_NAME_CHARS) or ""
    if not name:
        raise UserError("Give the token a name, so that you know it again.", field="name")
    if scope not in SCOPES:
        raise UserError("A token may read, or read and write: choose “read” or “read and write”.", field="scope")
    if not 1 <= days <= MAX_DAYS:
        raise UserError(f"A token holds for 1 to {MAX_DAYS} days.", field="days")
    value = PREFIX + new_secret()
    async with pool.acquire() as connection:
        token = await insert_token(connection, user_id, name, digest(value), scope, days)
    if token is None:
        raise UserError(f"You have {MAX_TOKENS} tokens, which is the most: delete one first.")
    return NewToken(value, token)
