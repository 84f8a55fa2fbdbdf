"""Readings that streams share until what they read changes."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from forgeguard_app.store.changes import ACCESS, MOST_VALUES, ChangeFeed, notify_change
from forgeguard_app.store.pool import Pool


class Reader:
    """Counts how often it reads."""

    def __init__(self) -> None:
        self.count = 0

    async def read(self) -> int:
        self.count += 1
        await asyncio.sleep(0)
        return self.count


async def test_streams_share_a_reading_until_somebody_loses_access(dsn: str, pool: Pool) -> None:
    feed, reader = ChangeFeed(dsn), Reader()
    async with feed.watch({ACCESS}) as watch, asyncio.timeout(30):
        assert await asyncio.gather(*(feed.value(ACCESS, "public", reader.read) for _ in range(50))) == [1] * 50
        while ACCESS not in watch.pop_all():
            async with pool.acquire() as connection:
                await notify_change(connection, ACCESS)
            await watch.wait(1.0)
        assert await feed.value(ACCESS, "public", reader.read) > 1, "what was read before is not believed any more"
    await feed.close()


async def test_a_bounded_number_of_readings_is_kept() -> None:
    feed, reader, key = ChangeFeed(None), Reader(), uuid4()
    async with feed.watch({key}):
        for number in range(MOST_VALUES + 1):
            await feed.value(key, str(number), reader.read)
        assert await feed.value(key, str(MOST_VALUES), reader.read) == MOST_VALUES + 1
        assert await feed.value(key, "0", reader.read) == MOST_VALUES + 2, "the oldest went"
