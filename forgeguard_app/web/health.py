"""/healthz: alive. /readyz: able to make a delivery durable."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from forgeguard_app.store.health import probe_intake
from forgeguard_app.store.migrate import schema_state
from forgeguard_app.store.pool import DATABASE_ERRORS, Pool
from forgeguard_app.store.queue import count_waiting
from forgeguard_app.web.clients import is_neighbour
from forgeguard_app.web.keys import CONTEXT, INTAKE
from forgeguard_app.web.recent import Recent

CHECK_TIMEOUT_S = 5.0
READY: web.AppKey[Recent[Mapping[str, str]]] = web.AppKey("READY")


async def healthz(_: web.Request) -> web.Response:
    """Return the process answers."""
    return web.json_response({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """Return whether a delivery can be made durable, for everybody; with METRICS_FROM each part and what is wrong with
    it.
    """
    has_app, pool = request.app[CONTEXT].app.exists, request.app[INTAKE].pool
    checks = await request.app[READY].get(lambda: _check(has_app, pool))
    ready = all(state == "ok" for state in checks.values())
    body: dict[str, object] = {"status": "ready" if ready else "not ready"}
    if is_neighbour(request):
        body["checks"] = dict(checks)
    return web.json_response(body, status=200 if ready else 503)


async def _check(has_app: bool, pool: Pool) -> Mapping[str, str]:
    checks: dict[str, str] = {"credentials": "ok" if has_app else "no App is set up"}
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S), pool.acquire() as connection:
            checks["database"] = "ok"
            checks["schema"] = await schema_state(connection) or "ok"
            if checks["schema"] == "ok":
                await count_waiting(connection)
                checks["queue"] = "ok"
                await probe_intake(connection)
                checks["intake"] = "ok"
    except DATABASE_ERRORS:
        checks["intake" if "queue" in checks else "database"] = "away" if "queue" not in checks else "cannot write"
    return checks
