"""What the shared readings of logs hold in memory."""

from __future__ import annotations

import asyncio
import gc
from typing import cast
from uuid import UUID, uuid4

from forgeguard_app.store.pool import Pool
from forgeguard_app.web import log_stream
from forgeguard_app.web.log_stream import Chunk, Tails


class Reading(Chunk):
    """A chunk of this test alone: others of the same process are not counted."""


class LargeTails(Tails):
    """Every reading is as large as one may be."""

    async def _read(self, build_id: UUID, number: int) -> Chunk:
        return Reading(number + 1, [(number + 1, "x" * log_stream.CHUNK_BYTES)])


async def test_chunk_beyond_the_bound_is_freed_at_once() -> None:
    tails, build_id = LargeTails(cast(Pool, None)), uuid4()
    for number in range(200):
        await tails.after(build_id, number)
    await asyncio.sleep(0)
    gc.collect()
    alive = sum(chunk.size for chunk in gc.get_objects() if isinstance(chunk, Reading))
    assert alive <= log_stream.KEPT_BYTES + log_stream.CHUNK_BYTES
