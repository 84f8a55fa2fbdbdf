"""POST /webhooks/github: the body bounded while it streams, its signature, a typed event, then a durable delivery."""

from __future__ import annotations

import re
from collections.abc import Callable

import structlog
from aiohttp import web

from forgeguard_app.flows.intake.receive_delivery import receive_delivery
from forgeguard_app.flows.intake.refuse_delivery import refuse_delivery
from forgeguard_app.github.payloads import BadPayload, read_event
from forgeguard_app.store.states import DeliveryOutcome
from forgeguard_app.vault import signature_holds
from forgeguard_app.web.clients import client_of
from forgeguard_app.web.connections import Unsigned
from forgeguard_app.web.keys import CONTEXT, INTAKE
from forgeguard_app.web.problems import problem

# GitHub sends no larger payload: https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
MAX_BODY_BYTES = 25 << 20
_DELIVERY = re.compile(r"[0-9A-Za-z-]{8,100}\Z")
_EVENT = re.compile(r"[a-z_]{1,60}\Z")
UNSIGNED: web.AppKey[Unsigned] = web.AppKey("UNSIGNED")
log = structlog.get_logger()


async def webhook(request: web.Request) -> web.Response:
    """202 once durable, 200 where there is nothing to do, 4xx for what GitHub would not send."""
    secrets = request.app[CONTEXT].app.webhook_secrets
    if not secrets:
        return problem(503, "No App is set up here yet.", retry_after_s=60)
    try:
        with request.app[UNSIGNED].reading(
            client_of(request), lambda: request.content.set_exception(TooMany())
        ) as grow:
            body = await _read(request, grow)
    except TooMany:
        return problem(503, "Too many deliveries are arriving at once.", retry_after_s=30)
    if body is None:
        return problem(413, f"A delivery has at most {MAX_BODY_BYTES >> 20} MB.")
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    if not signature_holds(secrets, body, request.headers.get("X-Hub-Signature-256")):
        return problem(
            401, "X-Hub-Signature-256 is missing, or is not this body's signature under the App's webhook secret."
        )
    name, github_delivery_id = request.headers.get("X-GitHub-Event", ""), request.headers.get("X-GitHub-Delivery", "")
    if not _EVENT.match(name) or not _DELIVERY.match(github_delivery_id):
        return problem(400, "X-GitHub-Event or X-GitHub-Delivery is missing or malformed.")
    if request.content_type != "application/json":
        return problem(400, "Set the webhook's content type to application/json.")
    try:
        event = read_event(name, body)
    except BadPayload as error:
        log.warning("delivery.malformed", delivery_id=github_delivery_id, event_name=name, reason=str(error))
        await refuse_delivery(request.app[INTAKE].pool, github_delivery_id, name)
        return problem(400, f"The body is not a {name} delivery: {error}")
    del body  # up to 25 MB, of which nothing is needed while the event waits
    received = await receive_delivery(request.app[INTAKE], github_delivery_id, name, event)
    log.info(
        "delivery.received",
        delivery_id=github_delivery_id,
        event_name=name,
        outcome=received.outcome,
        audit_run_id=str(received.run_id) if received.run_id else None,
    )
    status = 202 if received.outcome in (DeliveryOutcome.ACCEPTED, DeliveryOutcome.APPLIED) else 200
    return web.json_response({"outcome": received.outcome}, status=status)


class TooMany(Exception):
    """More bytes of unsigned bodies are arriving than are kept at once."""


async def _read(request: web.Request, grow: Callable[[int], bool]) -> bytes | None:
    """Return the body; None past the bound, whatever Content-Length said.

    Raises:
        TooMany: unsigned bodies take more memory together than they may.
    """
    if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in request.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
        if not grow(len(chunk)):
            raise TooMany
    return bytes(body)
