"""What a build says, as it says it: cleaned, masked, and kept at once for those who watch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from forgeguard_app.audit.secrets.masking import Masker
from forgeguard_app.flows.context import Context
from forgeguard_app.projects.output import clean, read_line
from forgeguard_app.store.build_logs import NewLine, insert_lines
from forgeguard_app.store.changes import notify_change


class BuildLog:
    """One build's log; its worker alone writes it."""

    def __init__(self, context: Context, build_id: UUID) -> None:
        self._context, self._build_id = context, build_id
        self._masker = Masker(context.builder.environment.values())

    async def say(self, message: str, level: str = "info", source: str = "system") -> None:
        """A sentence of ours."""
        masked = self._masker.mask([line.encode("utf-8", "replace") for line in message.splitlines() or [""]])
        now = datetime.now(UTC)
        await self._keep([NewLine(now, source, level, clean(line.decode("utf-8", "replace"))) for line in masked])

    async def hear(self, lines: Sequence[bytes]) -> None:
        """What the builder printed."""
        now = datetime.now(UTC)
        await self._keep(
            [NewLine(now, "builder", *read_line(line)) for line in await asyncio.to_thread(self._masker.mask, lines)]
        )

    async def _keep(self, lines: list[NewLine]) -> None:
        async with self._context.pool.acquire() as connection, connection.transaction():
            await insert_lines(connection, self._build_id, lines)
            await notify_change(connection, self._build_id)
