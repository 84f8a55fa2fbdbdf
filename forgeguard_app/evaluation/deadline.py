"""The time limit of one audit's evaluation."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

from forgeguard_app.errors import UserError
from forgeguard_app.git.command import GitTimeout

DEFAULT_S = 60.0
GRACE_S = 5.0  # for a loop to meet the limit by itself, before it is left behind


class EvaluationTimeout(UserError):
    """The evaluation did not end within its time; the text says so, and which setting is the limit."""


class Deadline:
    """Counts the time that an evaluation takes. Loops over a repository's contents call `check` at every step."""

    def __init__(self, timeout_s: float = DEFAULT_S, grace_s: float = GRACE_S) -> None:
        self.timeout_s, self._grace_s = timeout_s, grace_s
        self._end = time.monotonic() + timeout_s
        self._outer: asyncio.Timeout | None = None

    @property
    def left_s(self) -> float:
        """Return the number of seconds left."""
        return max(self._end - time.monotonic(), 0.0)

    def check(self) -> None:
        """Go on while there is time.

        Raises:
            EvaluationTimeout: no time is left.
        """
        if time.monotonic() > self._end:
            raise self.reached()

    def reached(self) -> EvaluationTimeout:
        """Return the exception that says what the limit was."""
        return EvaluationTimeout(
            f"The evaluation took longer than {self.timeout_s:g} s and was ended; "
            f"FORGEGUARD_EVALUATION_TIMEOUT_S sets the limit."
        )

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count what happens in the block: a fetch waits for others, and has limits of its own."""
        began = time.monotonic()
        if self._outer is not None:
            self._outer.reschedule(None)
        try:
            yield
        finally:
            self._end += time.monotonic() - began
            self._reschedule()

    @contextlib.asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """End the block a little after the limit, also where a thread of it never came to check."""
        try:
            async with asyncio.timeout(None) as self._outer:
                self._reschedule()
                yield
        except TimeoutError:
            if self._outer is None or not self._outer.expired():
                raise
            raise self.reached() from None
        finally:
            self._outer = None

    @contextlib.asynccontextmanager
    async def of_git(self) -> AsyncIterator[None]:
        """Take git's own limit, set to what is left, for ours."""
        try:
            yield
        except GitTimeout:
            raise self.reached() from None

    def _reschedule(self) -> None:
        if self._outer is not None:
            self._outer.reschedule(asyncio.get_running_loop().time() + self.left_s + self._grace_s)
