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
from forgeguard_app.flows.intake.receive_delivery import IntakeLines, receive_delivery
from forgeguard_app.flows.intake.refuse_delivery import refuse_delivery
from forgeguard_app.flows.upkeep.compare_log import LogComparison
from forgeguard_app.flows.upkeep.missing_deliveries import MissingDeliveries
from forgeguard_app.github.app_access import NotTheApp
from forgeguard_app.github.client import GitHubUnavailable
from forgeguard_app.github.deliveries import Attempt, ask_again, get_payload
from forgeguard_app.github.payloads import BadPayload, read_event
from forgeguard_app.store.pool import DATABASE_ERRORS

WINDOW_CLOSES = timedelta(days=2, hours=12)  # GitHub keeps them for three days
REFUSED_AFTER = timedelta(days=1)  # a refused delivery counts as known: none follows from one answer of the log
MAX_ASKED = 1_000  # a pass; the next one goes on
AWAY_AFTER = 5  # deliveries in a row for which GitHub fails, until it is asked whether it is there
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The number of deliveries in the parts that were compared, of those requested again, and of those taken."""

    listed: int = 0
    asked: int = 0
    taken: int = 0


class DeliveriesLeft(RetryLater):
    """A pass did as much as one may, and left the rest to the next one; `done` is what it did."""

    def __init__(self, done: Reconciled, left: str) -> None:
        super().__init__(f"{left} left for the next pass")
        self.done = done


class UnreadablePayload(RetryLater):
    """The log's payload of a delivery that cannot be read; the log may hold a better one later."""


async def reconcile_deliveries(context: WorkerContext, comparison: LogComparison, most: int = MAX_ASKED) -> Reconciled:
    """Bring the inbox to hold every delivery of the log, or of its next part; one that fails holds up no other.

    Deliveries that failed before are tried after all others.

    Raises:
        DeliveriesLeft: more than `most` are missing, or the log has older parts.
        RequestRejected, RetryLater: GitHub is away, does not list its log, or its limit is reached.
        Exception: as the last delivery that failed for the first time raised it, after all the others.
    """
    now = datetime.fromtimestamp(context.client.clock.now(), UTC)
    missing = MissingDeliveries(most)
    part = await comparison.read_part(context, now, missing)
    chosen = missing.share_turns(most)
    failing = await comparison.list_failing(context, now)
    asked, taken, fault = await _recover(context, chosen + failing[: most - len(chosen)], comparison, now)
    done = Reconciled(part.listed, asked, taken)
    _tell(context, [*missing, *failing], now, done)
    left = missing.number - len(chosen)
    if not left:
        comparison.finish_part(part)
    if fault is not None:
        raise fault
    if left:
        raise DeliveriesLeft(Reconciled(0, asked, taken), f"{left} missing deliveries are")
    if part.next_path is not None:
        raise DeliveriesLeft(done, "older attempts of the log are")
    return done


async def _recover(
    context: WorkerContext, chosen: Sequence[Attempt], comparison: LogComparison, now: datetime
) -> tuple[int, int, Exception | None]:
    """Return how many were asked for and taken, and the last fault of a delivery that had not failed before."""
    asked = taken = failed_in_a_row = 0
    fault: Exception | None = None
    for attempt in chosen:
        try:
            # Asked for before, and the inbox lacks it all the same: our address is not reached, or a proxy answers.
            if attempt.redelivery:
                taken += await _receive_logged(context, attempt, now)
            else:
                await ask_again(context.app, attempt.id)
                asked += 1
            comparison.failing.pop(attempt.guid, None)
            failed_in_a_row = 0
        except Exception as error:
            # A request that fails may be one delivery's own fault, such as a payload that GitHub cannot give.
            is_transient = isinstance(error, (RetryLater, *DATABASE_ERRORS))
            if is_transient and not _is_of_one(error):
                raise
            if comparison.add_failing(attempt):
                fault = error
            _note(attempt, error)
            failed_in_a_row = failed_in_a_row + 1 if is_transient else 0
            if failed_in_a_row >= AWAY_AFTER:
                await context.app.ask("GET", "/app")  # raises where GitHub is away
                failed_in_a_row = 0
    return asked, taken, fault


def _tell(context: WorkerContext, missing: Sequence[Attempt], now: datetime, done: Reconciled) -> None:
    context.counts.add("missed", "asked", done.asked)
    context.counts.add("missed", "taken", done.taken)
    if closing := sum(now - attempt.delivered_at > WINDOW_CLOSES for attempt in missing):
        log.error("deliveries.window_closing", number=closing, remedy="GitHub forgets them soon: run forgeguard doctor")
    if missing:
        log.info("deliveries.reconciled", listed=done.listed, asked=done.asked, taken=done.taken)


def _is_of_one(error: Exception) -> bool:
    """Return whether the error may concern one delivery alone: no limit, no refused App and no lost database."""
    return isinstance(error, (GitHubUnavailable, UnreadablePayload)) and not isinstance(error, NotTheApp)


def _note(attempt: Attempt, error: Exception) -> None:
    log.warning("delivery.not_had", delivery_id=attempt.guid, error=type(error).__name__, reason=str(error))


async def _receive_logged(context: WorkerContext, attempt: Attempt, now: datetime) -> bool:
    """Return whether the delivery was taken from the log; False where it is noted as refused.

    Raises:
        UnreadablePayload: it cannot be read, and its attempt is younger than a day.
    """
    body = await get_payload(context.app, attempt.id)
    try:
        event = read_event(attempt.event, body)
    except BadPayload as error:
        if now - attempt.delivered_at < REFUSED_AFTER:
            raise UnreadablePayload(f"the payload in GitHub's log cannot be read: {error}") from error
        log.warning("delivery.malformed", delivery_id=attempt.guid, reason=str(error))
        await refuse_delivery(context.pool, attempt.guid, attempt.event)
        return False
    await receive_delivery(IntakeLines(context.pool), attempt.guid, attempt.event, event)
    return True
