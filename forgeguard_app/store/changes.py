"""Changes of repositories and builds, told at once to all who watch them in any process: LISTEN and NOTIFY."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID, uuid5

from forgeguard_app.store.pool import CONNECT_TIMEOUT_S, DATABASE_ERRORS, Connection, connect

CHANNEL = "forgeguard_audits"
ACCESS = UUID(int=1)  # the key under which it is told that somebody may have lost access
MAX_WATCHES = 4_000  # of pages in one process; a browser has one
MAX_LOG_WATCHES = 1_000  # streams of build logs, counted apart: live pages take none of them away
AGAIN_S = 2.0
FRESH_S = 5.0  # not every change is told: what was read is not believed for longer
MOST_VALUES = 10_000  # readings of one key that are kept
T = TypeVar("T")


def access_of(user_id: UUID) -> UUID:
    """Return the key under which it is told that this person may have signed out somewhere or lost access."""
    return uuid5(ACCESS, user_id.hex)


async def notify_change(connection: Connection, key: UUID) -> None:
    """Tell that a repository or a build changed, when the caller's transaction commits."""
    # At most 8,000 bytes: https://www.postgresql.org/docs/current/sql-notify.html
    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, str(key))


class TooManyWatches(Exception):
    """This process watches for as many streams as it can."""


class Watch:
    """The keys that one stream listens for, and which of them changed since it last asked."""

    def __init__(self, keys: frozenset[UUID], of_log: bool = False) -> None:
        self.keys, self.of_log = keys, of_log
        self.event = asyncio.Event()
        self.closing = False  # the server shuts down: the stream is to end
        self._changed: set[UUID] = set()

    def pop_all(self) -> set[UUID]:
        """Return the keys that changed since the last call."""
        taken, self._changed = self._changed, set()
        self.event.clear()
        return taken

    def hear(self, key: UUID) -> None:
        """Note a change."""
        self._changed.add(key)
        self.event.set()

    async def wait(self, timeout_s: float) -> None:
        """Return at the next change, at the latest after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.event.wait()


@dataclass(slots=True)
class _Topic:
    """One key while it is watched: by whom, and what was read about it since it last changed."""

    watches: set[Watch] = field(default_factory=set)
    values: dict[str, tuple[float, asyncio.Task[Any]]] = field(default_factory=dict)


class ChangeFeed:
    """Listens on one connection for all streams of this process, from the first one that watches."""

    def __init__(self, dsn: str | None) -> None:
        self._dsn = dsn
        self._topics: dict[UUID, _Topic] = {}
        self._watches: set[Watch] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @contextlib.asynccontextmanager
    async def watch(self, keys: Iterable[UUID], *, of_log: bool = False) -> AsyncIterator[Watch]:
        """Watch the keys until the context ends.

        Raises:
            TooManyWatches: this process watches for `MAX_WATCHES` pages or `MAX_LOG_WATCHES` logs already.
        """
        alike = sum(watch.of_log == of_log for watch in self._watches)
        if alike >= (MAX_LOG_WATCHES if of_log else MAX_WATCHES):
            raise TooManyWatches
        watch = Watch(frozenset(keys), of_log)
        watch.closing = self._closed
        self._watches.add(watch)
        for key in watch.keys:
            self._topics.setdefault(key, _Topic()).watches.add(watch)
        if self._task is None and self._dsn is not None and not self._closed:
            self._task = asyncio.create_task(self._listen(self._dsn))
        try:
            yield watch
        finally:
            self._forget(watch)

    async def value(self, key: UUID, name: str, read: Callable[[], Awaitable[T]]) -> T:
        """Return what `read` gives; all who watch the key share a reading until the key changes, for `FRESH_S` at
        most.
        """
        topic = self._topics.get(key)
        if topic is None:
            return await read()
        read_at, task = topic.values.get(name, (0.0, None))
        now = time.monotonic()
        if task is None or now - read_at > FRESH_S:
            task = asyncio.ensure_future(_run(read))
            topic.values.pop(name, None)  # the newest reading is the last one
            topic.values[name] = (now, task)
            if len(topic.values) > MOST_VALUES:
                del topic.values[next(iter(topic.values))]
            task.add_done_callback(lambda done: _drop_failed(topic, name, done))
        value: T = await asyncio.shield(task)
        return value

    async def close(self) -> None:
        """Stop listening and end every stream."""
        self._closed = True
        for watch in self._watches:
            watch.closing = True
            watch.event.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _forget(self, watch: Watch) -> None:
        self._watches.discard(watch)
        for key in watch.keys:
            topic = self._topics[key]
            topic.watches.discard(watch)
            if not topic.watches:
                del self._topics[key]

    def _heard(self, payload: str) -> None:
        with contextlib.suppress(ValueError):
            self._changed(UUID(payload))

    def _changed(self, key: UUID) -> None:
        topic = self._topics.get(key)
        if topic is not None:
            topic.values.clear()
            for watch in topic.watches:
                watch.hear(key)

    async def _listen(self, dsn: str) -> None:
        while True:
            with contextlib.suppress(*DATABASE_ERRORS):
                connection = await connect(dsn, timeout=CONNECT_TIMEOUT_S)
                try:
                    ended = asyncio.Event()
                    connection.add_termination_listener(lambda _, ended=ended: ended.set())
                    await connection.add_listener(CHANNEL, lambda _c, _p, _ch, payload: self._heard(str(payload)))
                    for key in list(self._topics):
                        self._changed(key)  # what changed while nobody listened
                    await ended.wait()
                finally:
                    connection.terminate()
            await asyncio.sleep(AGAIN_S)


async def _run(read: Callable[[], Awaitable[T]]) -> T:
    return await read()


def _drop_failed(topic: _Topic, name: str, task: asyncio.Task[Any]) -> None:
    """Forget a reading that failed, so that the next caller reads again."""
    failed = task.cancelled() or task.exception() is not None
    if failed and topic.values.get(name, (0.0, None))[1] is task:
        del topic.values[name]
