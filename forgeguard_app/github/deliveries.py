"""GitHub's own log of the App's webhook deliveries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from forgeguard_app.github.client import Client

MAX_LISTED = 50_000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver; attempts of one delivery share its `guid`."""

    id: int
    guid: str
    event: str
    delivered_at: datetime
    redelivery: bool
    arrived: bool


async def list_attempts(client: Client, app_jwt: str) -> AsyncIterator[Attempt]:
    """The attempts, the newest first; the log has no payloads."""
    async for item in client.list("/app/hook/deliveries?per_page=100", app_jwt=app_jwt, most=MAX_LISTED):
        at = datetime.fromisoformat(item["delivered_at"].replace("Z", "+00:00"))
        arrived = 200 <= int(item["status_code"]) < 400
        yield Attempt(int(item["id"]), item["guid"], item["event"], at, bool(item["redelivery"]), arrived)


async def ask_again(client: Client, app_jwt: str, attempt_id: int) -> None:
    """Has GitHub deliver once more, under the same guid."""
    await client.ask("POST", f"/app/hook/deliveries/{attempt_id}/attempts", app_jwt=app_jwt)


async def get_payload(client: Client, app_jwt: str, attempt_id: int) -> bytes:
    """The body of a delivery, from the log."""
    detail = await client.ask("GET", f"/app/hook/deliveries/{attempt_id}", app_jwt=app_jwt)
    return json.dumps(detail["request"]["payload"]).encode()
