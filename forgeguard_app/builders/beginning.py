"""Tells whether a builder's command began: inside the sandbox, a line of ours is printed right before it."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from forgeguard_app.builders.confinement import Sandbox

Hear = Callable[[list[bytes]], Awaitable[None]]


class Beginning:
    """Hands the lines of a run on, but for the one that is printed right before the command begins."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self.line = f"forgeguard: begins {secrets.token_hex(16)}"
        self.has_begun = False
        self.last = b""  # of the lines before it

    def command(self, room: Sandbox, command: list[str]) -> list[str]:
        """Return the command as it is started; outside of a sandbox, it has begun when it is started."""
        started = room.command(command)
        if not room.private_tmp:
            self.has_begun = True
            return started
        tell = ["/bin/sh", "-c", 'echo "$0"; exec "$@"', self.line]
        return [*started[: -len(command)], *tell, *command]

    async def hear(self, lines: list[bytes]) -> None:
        """Hand the lines on."""
        if not self.has_begun:
            line = self.line.encode()
            self.has_begun = line in lines
            lines = [other for other in lines if other != line]
            self.last = lines[-1] if lines else self.last
        if lines:
            await self._hear(lines)
