"""Delivers webhooks, signed, and keeps GitHub's log of them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

import aiohttp

from forgeguard_app.simulator.faults import DELIVERY
from forgeguard_app.simulator.state import Delivery, World, stamp

ANSWER_TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 10_000
MAX_DELAY_S = 0.8


class Webhooks:
    """Sends in the background, as GitHub does: one try, the outcome in the log."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0

    async def open(self) -> None:
        """Open the connections."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_TIMEOUT_S))

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def send(
        self, event: str, payload: dict[str, Any], *, guid: str | None = None, redelivery: bool = False
    ) -> Delivery:
        """Start a delivery and return its log entry."""
        installation = payload.get("installation") or {}
        delivery = Delivery(
            id=self.world.next_id(),
            guid=guid or str(uuid.uuid4()),
            event=event,
            action=payload.get("action"),
            body=json.dumps(payload).encode(),
            installation_id=installation.get("id"),
            repository_id=(payload.get("repository") or {}).get("id"),
            redelivery=redelivery,
        )
        self.world.deliveries.append(delivery)
        task = asyncio.create_task(self._post(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return delivery

    async def settle(self) -> None:
        """Wait for the deliveries under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _spoilt(self, delivery: Delivery) -> bool:
        """Return whether the delivery is lost; a delayed one waits here, a duplicate is sent once more."""
        faults = self.world.faults
        if faults is None:
            return False
        self._number += 1
        identity = f"{delivery.event}.{delivery.action or ''} {self._number}"
        match faults.choose("delivery", identity, DELIVERY):
            case "drop":
                delivery.status = "timed out"
                return True
            case "lost":  # GitHub thinks that it arrived
                delivery.status, delivery.status_code = "OK", 202
                return True
            case "double":
                self.send(delivery.event, json.loads(delivery.body), guid=delivery.guid, redelivery=True)
            case "delay":
                await asyncio.sleep(faults.delay_s(identity, MAX_DELAY_S))
        return False

    async def _post(self, delivery: Delivery) -> None:
        app = self.world.app
        if app is None or self._session is None:
            return
        signature = hmac.new(app.webhook_secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        sha1 = hmac.new(app.webhook_secret.encode(), delivery.body, hashlib.sha1).hexdigest()
        delivery.headers = {
            "Accept": "*/*",
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/simulated",
            "X-GitHub-Delivery": delivery.guid,
            "X-GitHub-Event": delivery.event,
            "X-GitHub-Hook-ID": "1",
            "X-GitHub-Hook-Installation-Target-ID": str(app.id),
            "X-GitHub-Hook-Installation-Target-Type": "integration",
            "X-Hub-Signature": f"sha1={sha1}",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        began = time.time()
        delivery.delivered_at = stamp(self.world.now())
        if await self._spoilt(delivery):
            return
        try:
            async with self._session.post(app.webhook_url, data=delivery.body, headers=delivery.headers) as answer:
                delivery.answer = (await answer.content.read(MAX_ANSWER_BYTES)).decode("utf-8", "replace")
                delivery.status_code, delivery.arrived = answer.status, time.monotonic()
                delivery.status = "OK" if answer.status < 400 else "Invalid HTTP Response: " + str(answer.status)
        except TimeoutError:
            delivery.status = "timed out"
        except aiohttp.ClientError:
            delivery.status = "failed to connect to host"
        delivery.duration = round(time.time() - began, 3)
