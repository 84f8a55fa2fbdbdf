"""Readings of build logs that many share: whoever asks for whatever line, they take a bounded memory."""

from __future__ import annotations

import asyncio

from forgeguard_app.store.pool import Pool
from forgeguard_app.web.log_stream import CHUNK_BYTES, KEPT_BYTES, Tails
from tests.support.stored_builds import insert_build_row, insert_person, insert_project_row


async def test_a_large_log_that_is_read_from_everywhere_takes_a_bounded_memory(pool: Pool) -> None:
    async with pool.acquire() as connection:
        user_id = await insert_person(connection, 1, "mona")
        build_id = await insert_build_row(connection, await insert_project_row(connection, user_id))
        await connection.execute(
            "INSERT INTO build_logs (build_id, message) SELECT $1, repeat(E'\\x01', 8000) FROM "
            "generate_series(1, 1200)",
            build_id,
        )
        await connection.execute(
            "INSERT INTO build_logs (build_id, message) VALUES ($1, repeat('x', 200000))", build_id
        )
        numbers = [row[0] for row in await connection.fetch("SELECT number FROM build_logs ORDER BY number")]
    tails = Tails(pool)
    for at in range(0, 1200, 50):
        chunks = await asyncio.gather(*(tails.after(build_id, number) for number in numbers[at : at + 50]))
        assert all(1 <= len(chunk.lines) <= CHUNK_BYTES // 8_000 for chunk in chunks)
        await asyncio.sleep(0)
        assert tails.kept_bytes <= KEPT_BYTES
    assert tails.kept_bytes > 0
    read, at = [], 0
    while lines := (await tails.after(build_id, at)).lines:
        read += [number for number, _ in lines]
        at = read[-1]
    assert read == numbers, "every line once and in order, a line larger than a piece too"
