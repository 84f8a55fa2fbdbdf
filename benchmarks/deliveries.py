"""Signed deliveries by the thousand: what benchmarks of the intake send, and how they count the answers."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

PADDING = "x" * 11_000  # GitHub's published pushes have 12 to 19 KB


@dataclass(frozen=True)
class Signed:
    """One delivery, ready to be sent."""

    guid: str
    event: str
    body: bytes
    signature: str


@dataclass
class Answers:
    """Seconds until each answer, statuses, and refusals without Retry-After."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0

    def quantile(self, share: float) -> float:
        """Milliseconds within which that share was answered."""
        return sorted(self.seconds)[min(int(len(self.seconds) * share), len(self.seconds) - 1)] * 1e3


def sign(secret: str, event: str, payload: dict[str, object]) -> Signed:
    """The payload as GitHub would send it."""
    body = json.dumps(payload).encode()
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Signed(str(uuid.uuid4()), event, body, signature)


def pushes(secret: str, number: int, repositories: int = 50) -> list[Signed]:
    """Pushes of new branches, spread over repositories of an installation each; the commits do not exist."""
    made: list[Signed] = []
    for count in range(number):
        which = count % repositories
        owner = {"id": 10 + which, "login": f"o{which}", "type": "Organization"}
        repository = {
            "id": 1_000 + which,
            "full_name": f"o{which}/r",
            "private": False,
            "default_branch": "main",
            "owner": owner,
            "padding": PADDING,
        }
        payload: dict[str, object] = {
            "ref": f"refs/heads/b{count}",
            "before": "0" * 40,
            "after": hashlib.sha1(uuid.uuid4().bytes).hexdigest(),
            "created": True,
            "deleted": False,
            "forced": False,
            "repository": repository,
            "installation": {"id": 5_000 + which},
            "head_commit": {"message": "A change", "author": {"name": "A", "username": "a"}},
        }
        made.append(sign(secret, "push", payload))
    return made


async def send(session: aiohttp.ClientSession, url: str, signed: Signed, answers: Answers) -> None:
    """Sends one and notes its answer."""
    headers = {
        "X-GitHub-Delivery": signed.guid,
        "X-GitHub-Event": signed.event,
        "X-Hub-Signature-256": signed.signature,
        "Content-Type": "application/json",
    }
    began = time.perf_counter()
    async with session.post(url, data=signed.body, headers=headers) as answer:
        await answer.read()
        answers.seconds.append(time.perf_counter() - began)
        answers.statuses[answer.status] += 1
        answers.without_retry_after += answer.status >= 400 and "Retry-After" not in answer.headers


async def closed_loop(url: str, todo: list[Signed], clients: int) -> tuple[Answers, float]:
    """Send all, `clients` at a time, over bare sockets, so that the sender costs next to nothing."""
    answers, parts = Answers(), urlsplit(url)
    waiting = iter([(_request(parts.path, signed)) for signed in todo])

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            answers.seconds.append(time.perf_counter() - began)
            status = int(head.split(b" ", 2)[1])
            answers.statuses[status] += 1
            answers.without_retry_after += status >= 400 and b"retry-after" not in head.lower()
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return answers, time.perf_counter() - began


def _request(path: str, signed: Signed) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(signed.body)}",
        f"X-GitHub-Delivery: {signed.guid}",
        f"X-GitHub-Event: {signed.event}",
        f"X-Hub-Signature-256: {signed.signature}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + signed.body


async def open_loop(url: str, todo: list[Signed], per_second: float) -> Answers:
    """Send at a steady rate, however long the answers take."""
    answers = Answers()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=500)) as session:
        began, tasks = time.perf_counter(), []
        for number, signed in enumerate(todo):
            wait = began + number / per_second - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.create_task(send(session, url, signed, answers)))
        await asyncio.gather(*tasks)
    return answers
