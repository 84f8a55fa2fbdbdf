"""Answers of GitHub's OAuth server, however they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from forgeguard_app.github.client import Client, GitHubUnavailable
from forgeguard_app.github.oauth import MAX_BYTES, OAuth, refresh
from tests.support.running import free_port


@contextlib.asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[OAuth]:
    """A server that sends its answer in pieces, each only once the one before was read."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {sum(map(len, pieces))}\r\n\r\n"
        writer.write(head.encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.close()

    port = free_port()
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    yield OAuth(f"http://127.0.0.1:{port}", "id", "secret")
    server.close()


async def test_an_answer_that_comes_in_pieces_is_read_to_its_end() -> None:
    body = json.dumps({"access_token": "ghu_x", "refresh_token": "ghr_x", "expires_in": 28_800}).encode()
    async with answering(body[:20], body[20:]) as oauth, aiohttp.ClientSession() as session:
        tokens = await refresh(Client(session, oauth.github_url), oauth, "ghr_old")
    assert (tokens.access_token, tokens.refresh_token) == ("ghu_x", "ghr_x")


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    async with answering(b" " * MAX_BYTES, b"{}") as oauth, aiohttp.ClientSession() as session:
        with pytest.raises(GitHubUnavailable, match="too large"):
            await refresh(Client(session, oauth.github_url), oauth, "ghr_old")
