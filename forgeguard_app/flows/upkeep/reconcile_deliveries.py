"""GitHub's delivery log is compared with the inbox: what never arrived is asked for again, or taken from the log.

GitHub does not deliver again by itself, and says OK for what a proxy of ours answered; so the inbox alone counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.intake.push_batcher import PushBatcher
from forgeguard_app.flows.intake.receive_delivery import receive_delivery
from forgeguard_app.github.deliveries import Attempt, ask_again, get_payload, list_attempts
from forgeguard_app.github.payloads import BadPayload, read_event
from forgeguard_app.store.deliveries import list_known
from forgeguard_app.store.pool import DATABASE_ERRORS

WINDOW_CLOSES = timedelta(days=2, hours=12)  # GitHub keeps them for three days
MAX_ASKED = 1_000  # a pass; the next one goes on
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The number of deliveries in the log, of those requested again, and of those taken from the log."""

    seen: int = 0
    asked: int = 0
    taken: int = 0


async def reconcile_deliveries(context: WorkerContext, since: timedelta) -> Reconciled:
    """Brings the inbox to hold every delivery of the log's last `since`; one that fails holds up no other.

    Raises:
        RetryLater: GitHub is away.
        Exception: as the last delivery that failed by itself raised it, after all the others.
    """
    now = datetime.fromtimestamp(context.client.clock.now(), UTC)
    newest = await _newest_attempts(context, now - since)
    async with context.pool.acquire() as connection:
        known = await list_known(connection, list(newest))
    missing = [
        attempt
        for guid, attempt in newest.items()
        if guid not in known and now - attempt.delivered_at > timedelta(seconds=context.pace.patience_s)
    ]
    asked = taken = 0
    failed: Exception | None = None
    for attempt in reversed(missing[-MAX_ASKED:]):  # the oldest first: pushes are judged in their order
        try:
            if attempt.redelivery and not attempt.arrived:
                taken += await _take(context, attempt)  # asked for before, and our address was not reached again
            else:
                await ask_again(context.app, attempt.id)
                asked += 1
        except (RetryLater, *DATABASE_ERRORS):
            raise  # GitHub or the database is away, for all of them
        except Exception as error:
            failed = error  # of this one alone
            log.warning("delivery.not_had", delivery_id=attempt.guid, error=type(error).__name__, reason=str(error))
    context.counts.add("missed", "asked", asked)
    context.counts.add("missed", "taken", taken)
    closing = [attempt for attempt in missing if now - attempt.delivered_at > WINDOW_CLOSES]
    if closing:
        log.error(
            "deliveries.window_closing", number=len(closing), remedy="GitHub forgets them soon: run forgeguard doctor"
        )
    if missing:
        log.info("deliveries.reconciled", seen=len(newest), asked=asked, taken=taken)
    if failed is not None:
        raise failed
    return Reconciled(len(newest), asked, taken)


async def _newest_attempts(context: WorkerContext, after: datetime) -> dict[str, Attempt]:
    newest: dict[str, Attempt] = {}
    async for attempt in list_attempts(context.app):
        if attempt.delivered_at < after:
            break
        newest.setdefault(attempt.guid, attempt)
    return newest


async def _take(context: WorkerContext, attempt: Attempt) -> bool:
    body = await get_payload(context.app, attempt.id)
    try:
        event = read_event(attempt.event, body)
    except BadPayload as error:
        log.warning("delivery.malformed", delivery_id=attempt.guid, reason=str(error))
        return False
    await receive_delivery(context.pool, PushBatcher(context.pool), attempt.guid, attempt.event, event)
    return True
