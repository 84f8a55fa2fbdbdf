"""GitHub's delivery log is compared with the inbox: what never arrived is asked for again, or taken from the log.

GitHub does not deliver again by itself, and says OK for what a proxy of ours answered; so the inbox alone counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.intake.push_batcher import PushBatcher
from forgeguard_app.flows.intake.receive_delivery import receive_delivery
from forgeguard_app.flows.intake.refuse_delivery import refuse_delivery
from forgeguard_app.github.app_access import NotTheApp
from forgeguard_app.github.client import GitHubUnavailable
from forgeguard_app.github.deliveries import Attempt, ask_again, get_payload, list_attempts
from forgeguard_app.github.payloads import BadPayload, read_event
from forgeguard_app.store.deliveries import list_known
from forgeguard_app.store.pool import DATABASE_ERRORS

WINDOW_CLOSES = timedelta(days=2, hours=12)  # GitHub keeps them for three days
MAX_ASKED = 1_000  # a pass; the next one goes on
AWAY_AFTER = 5  # deliveries in a row for which GitHub fails
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The number of deliveries in the log, of those requested again, and of those taken from the log."""

    listed: int = 0
    asked: int = 0
    taken: int = 0


class DeliveriesLeft(RetryLater):
    """A pass asked for as many deliveries as one may, and left others to the next one; `done` is what it did."""

    def __init__(self, done: Reconciled, left: int) -> None:
        super().__init__(f"{left} missing deliveries are left for the next pass")
        self.done = done


async def reconcile_deliveries(context: WorkerContext, since: timedelta, most: int = MAX_ASKED) -> Reconciled:
    """Bring the inbox to hold every delivery of the log's last `since`; one that fails holds up no other.

    Raises:
        DeliveriesLeft: more than `most` are missing.
        RetryLater: GitHub is away, or its limit is reached.
        Exception: as the last delivery that failed by itself raised it, after all the others.
    """
    now = datetime.fromtimestamp(context.client.clock.now(), UTC)
    newest = await _newest_attempts(context, now - since)
    async with context.pool.acquire() as connection:
        known = await list_known(connection, list(newest))
    missing = [
        attempt
        for guid, attempt in newest.items()
        if guid not in known and now - attempt.delivered_at > timedelta(seconds=context.timings.patience_s)
    ]
    asked = taken = 0
    failed: Exception | None = None
    failed_in_a_row = 0
    chosen = share_turns(missing, most)
    for attempt in chosen:
        try:
            if attempt.redelivery and not attempt.arrived:
                taken += await _take(context, attempt)  # asked for before, and our address was not reached again
            else:
                await ask_again(context.app, attempt.id)
                asked += 1
            failed_in_a_row = 0
        except (RetryLater, *DATABASE_ERRORS) as error:
            # A request that fails may be one delivery's own fault, such as a payload that GitHub cannot give.
            failed_in_a_row += 1
            if not _is_of_one(error) or failed_in_a_row >= AWAY_AFTER:
                raise
            failed = _noted(attempt, error)
        except Exception as error:
            failed = _noted(attempt, error)
            failed_in_a_row = 0
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
    done = Reconciled(len(newest), asked, taken)
    if len(chosen) < len(missing):
        raise DeliveriesLeft(done, len(missing) - len(chosen))
    return done


def share_turns(missing: Sequence[Attempt], most: int) -> list[Attempt]:
    """Return the attempts of one pass, of those that are listed newest first.

    The installations take turns, each with its oldest one first: none takes the room of another, and pushes are
    evaluated in their order.
    """
    turns: Counter[int | None] = Counter()
    numbered: list[tuple[int, Attempt]] = []
    for attempt in reversed(missing):
        numbered.append((turns[attempt.installation_id], attempt))
        turns[attempt.installation_id] += 1
    return [attempt for _, attempt in sorted(numbered, key=lambda pair: pair[0])][:most]


def _is_of_one(error: Exception) -> bool:
    """Return whether the error may concern one delivery alone: no limit, no refused App and no lost database."""
    return isinstance(error, GitHubUnavailable) and not isinstance(error, NotTheApp)


def _noted(attempt: Attempt, error: Exception) -> Exception:
    log.warning("delivery.not_had", delivery_id=attempt.guid, error=type(error).__name__, reason=str(error))
    return error


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
        await refuse_delivery(context.pool, attempt.guid, attempt.event)
        return False
    await receive_delivery(context.pool, PushBatcher(context.pool), attempt.guid, attempt.event, event)
    return True
