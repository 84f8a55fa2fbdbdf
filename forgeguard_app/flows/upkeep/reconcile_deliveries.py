"""GitHub's delivery log is compared with the inbox: what never arrived is asked for again, or taken from the log.

GitHub does not deliver again by itself, and says OK for what a proxy of ours answered; so the inbox alone counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.flows.intake.push_batcher import PushBatcher
from forgeguard_app.flows.intake.receive_delivery import receive_delivery
from forgeguard_app.flows.intake.refuse_delivery import refuse_delivery
from forgeguard_app.flows.upkeep.missing_deliveries import MissingDeliveries
from forgeguard_app.github.app_access import NotTheApp
from forgeguard_app.github.client import GitHubUnavailable
from forgeguard_app.github.deliveries import Attempt, ask_again, get_payload, list_attempts
from forgeguard_app.github.payloads import BadPayload, read_event
from forgeguard_app.store.deliveries import list_known
from forgeguard_app.store.pool import DATABASE_ERRORS

WINDOW_CLOSES = timedelta(days=2, hours=12)  # GitHub keeps them for three days
MAX_ASKED = 1_000  # a pass; the next one goes on
AWAY_AFTER = 5  # deliveries in a row for which GitHub fails, until it is asked whether it is there
MAX_LISTED = 1_000_000  # attempts of a pass, in pages of 100
COMPARED_AT_ONCE = 5_000
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The number of deliveries in the log, of those requested again, and of those taken from the log."""

    listed: int = 0
    asked: int = 0
    taken: int = 0


class LogCut(RetryLater):
    """The log is longer than one pass reads."""


class DeliveriesLeft(RetryLater):
    """A pass asked for as many deliveries as one may, and left others to the next one; `done` is what it did."""

    def __init__(self, done: Reconciled, left: int) -> None:
        super().__init__(f"{left} missing deliveries are left for the next pass")
        self.done = done


async def reconcile_deliveries(
    context: WorkerContext,
    since: timedelta,
    most: int = MAX_ASKED,
    failed: set[str] | None = None,
    most_listed: int = MAX_LISTED,
) -> Reconciled:
    """Bring the inbox to hold every delivery of the log's last `since`; one that fails holds up no other.

    `failed` holds the deliveries that failed before: they come after all others. It is brought up to date.

    Raises:
        DeliveriesLeft: more than `most` are missing.
        LogCut: the log has more than `most_listed` attempts since then.
        RetryLater: GitHub is away, or its limit is reached.
        Exception: as the last delivery that failed for the first time raised it, after all the others.
    """
    failed = set() if failed is None else failed
    now = datetime.fromtimestamp(context.client.clock.now(), UTC)
    missing = MissingDeliveries(most)
    young = now - timedelta(seconds=context.timings.patience_s)
    listed, is_cut = await _read_log(context, (now - since, young), most_listed, missing)
    failed &= {attempt.guid for attempt in missing}
    chosen = missing.share_turns(most, failed)
    asked, taken, fault = await _recover(context, chosen, failed)
    _tell(context, missing, now, Reconciled(listed, asked, taken))
    if fault is not None:
        raise fault
    done = Reconciled(listed, asked, taken)
    if len(chosen) < missing.number:
        raise DeliveriesLeft(done, missing.number - len(chosen))
    if is_cut:
        context.counts.add("cut_lists", "deliveries")
        raise LogCut(f"GitHub's log has more than {most_listed:,} attempts; older ones were not compared")
    return done


async def _recover(
    context: WorkerContext, chosen: Sequence[Attempt], failed: set[str]
) -> tuple[int, int, Exception | None]:
    """Return how many were asked for and taken, and the last fault of a delivery that had not failed before."""
    asked = taken = failed_in_a_row = 0
    fault: Exception | None = None
    for attempt in chosen:
        try:
            if attempt.redelivery and not attempt.arrived:
                taken += await _take(context, attempt)  # asked for before, and our address was not reached again
            else:
                await ask_again(context.app, attempt.id)
                asked += 1
            failed.discard(attempt.guid)
            failed_in_a_row = 0
        except Exception as error:
            # A request that fails may be one delivery's own fault, such as a payload that GitHub cannot give.
            is_passing = isinstance(error, (RetryLater, *DATABASE_ERRORS))
            if is_passing and not _is_of_one(error):
                raise
            if attempt.guid not in failed:
                fault = error
            _note(attempt, error)
            failed.add(attempt.guid)
            failed_in_a_row = failed_in_a_row + 1 if is_passing else 0
            if failed_in_a_row >= AWAY_AFTER:
                await context.app.ask("GET", "/app")  # raises where GitHub is away
                failed_in_a_row = 0
    return asked, taken, fault


def _tell(context: WorkerContext, missing: MissingDeliveries, now: datetime, done: Reconciled) -> None:
    context.counts.add("missed", "asked", done.asked)
    context.counts.add("missed", "taken", done.taken)
    if closing := sum(now - attempt.delivered_at > WINDOW_CLOSES for attempt in missing):
        log.error("deliveries.window_closing", number=closing, remedy="GitHub forgets them soon: run forgeguard doctor")
    if missing.number:
        log.info("deliveries.reconciled", listed=done.listed, asked=done.asked, taken=done.taken)


def _is_of_one(error: Exception) -> bool:
    """Return whether the error may concern one delivery alone: no limit, no refused App and no lost database."""
    return isinstance(error, GitHubUnavailable) and not isinstance(error, NotTheApp)


def _note(attempt: Attempt, error: Exception) -> None:
    log.warning("delivery.not_had", delivery_id=attempt.guid, error=type(error).__name__, reason=str(error))


async def _read_log(
    context: WorkerContext, window: tuple[datetime, datetime], most: int, missing: MissingDeliveries
) -> tuple[int, bool]:
    """Add the deliveries of the window that the inbox lacks.

    Return how many the log has since the window's begin, and whether it has more than `most` attempts.
    """
    newest: dict[str, Attempt] = {}
    listed = attempts = 0
    async for attempt in list_attempts(context.app, most):
        if attempt.delivered_at < window[0]:
            attempts = 0
            break
        attempts += 1
        newest.setdefault(attempt.guid, attempt)
        if len(newest) >= COMPARED_AT_ONCE:
            listed += await _compare(context, newest, window[1], missing)
    listed += await _compare(context, newest, window[1], missing)
    return listed, attempts >= most


async def _compare(
    context: WorkerContext, newest: dict[str, Attempt], before: datetime, missing: MissingDeliveries
) -> int:
    async with context.pool.acquire() as connection:
        known = await list_known(connection, list(newest))
    for guid, attempt in newest.items():
        if guid not in known and attempt.delivered_at < before:
            missing.add(attempt)
    number = len(newest)
    newest.clear()
    return number


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
