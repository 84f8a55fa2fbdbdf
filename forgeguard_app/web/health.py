"""/healthz: alive. /readyz: able to make a delivery durable."""

from __future__ import annotations

import asyncio

from aiohttp import web

from forgeguard_app.store.health import probe_intake
from forgeguard_app.store.migrate import schema_state
from forgeguard_app.store.pool import AWAY
from forgeguard_app.store.queue import count_waiting
from forgeguard_app.web.keys import FRONT, POOL

CHECK_TIMEOUT_S = 5.0


async def healthz(_: web.Request) -> web.Response:
    """The process answers."""
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """Database, schema, queue and credentials, each with what is wrong with it."""
    checks: dict[str, str] = {"credentials": "ok" if request.app[FRONT].app.webhook_secrets else "no App is set up"}
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S), request.app[POOL].acquire() as connection:
            checks["database"] = "ok"
            checks["schema"] = await schema_state(connection) or "ok"
            if checks["schema"] == "ok":
                await count_waiting(connection)
                checks["queue"] = "ok"
                await probe_intake(connection)
                checks["intake"] = "ok"
    except AWAY:
        checks["intake" if "queue" in checks else "database"] = "away" if "queue" not in checks else "cannot write"
    ready = all(state == "ok" for state in checks.values())
    return web.json_response(
        {"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503
    )
