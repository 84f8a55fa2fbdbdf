"""The pauses after GitHub gave no token, which all processes share."""

from __future__ import annotations

from dataclasses import dataclass

from forgeguard_app.store.pool import Pool
from forgeguard_app.store.rates import find_token_pause, set_token_pause


@dataclass(frozen=True)
class TokenPauses:
    """Pauses kept in the database, beside the installation's rate budget."""

    pool: Pool

    async def left_s(self, installation_id: int) -> float:
        """Return the seconds until a token may be asked for; 0 where it may be now."""
        async with self.pool.acquire() as connection:
            return await find_token_pause(connection, installation_id)

    async def begin(self, installation_id: int, seconds: float) -> None:
        """Tell the other processes that GitHub gave no token."""
        async with self.pool.acquire() as connection:
            await set_token_pause(connection, installation_id, seconds)
