"""Diagnoses each part: whether it works, and what to do where it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from forgeguard_app.audit.masked_text import shown
from forgeguard_app.errors import RetryLater
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client, RequestRejected
from forgeguard_app.github.deliveries import NEWEST, Attempt, read_page
from forgeguard_app.github.events import clean_text
from forgeguard_app.github.permissions import missing_permissions, not_subscribed
from forgeguard_app.store.counters import list_recent
from forgeguard_app.store.deliveries import list_known
from forgeguard_app.store.health import Health, probe_intake, read_health, read_version
from forgeguard_app.store.installations import list_live_installations
from forgeguard_app.store.migrate import schema_state
from forgeguard_app.store.pool import DATABASE_ERRORS, Pool
from forgeguard_app.store.states import DeliveryOutcome, InstallationStatus

OLDEST_WELL_S = 300.0
CUT_WITHIN_S = 86_400.0
LEFT_WITHIN_S = 86_400.0
SKEW_WELL_S = 30.0
MAX_COMPARED = 1_000  # deliveries
MAX_PAGES = 100  # of 100 attempts each
MIN_VERSION = 140_000
DAY = timedelta(days=1)
SETTLED = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One part's state in words, and the remedy where it is not well."""

    part: str
    ok: bool
    detail: str
    remedy: str = ""

    def __post_init__(self) -> None:
        """Let every text pass the gate: it repeats GitHub's answers, addresses and settings."""
        for name in ("part", "detail", "remedy"):
            object.__setattr__(self, name, shown(getattr(self, name)))


async def examine_database(pool: Pool) -> AsyncIterator[Diagnosis]:
    """Yield the database, its schema, the queue and what waits in it."""
    try:
        async with pool.acquire() as connection:
            version = await read_version(connection)
            yield Diagnosis(
                "database", version >= MIN_VERSION, f"PostgreSQL {version // 10_000}", "use PostgreSQL 14 or later"
            )
            state = await schema_state(connection)
            yield Diagnosis("schema", not state, state or "current", "run `forgeguard migrate`")
            if state:
                return
            await probe_intake(connection)
            yield Diagnosis("intake", True, "a delivery can be made durable")
            health = await read_health(connection)
            cut = await list_recent(connection, "cut_lists", CUT_WITHIN_S)
            left = await list_recent(connection, "left_threads", LEFT_WITHIN_S)
    except DATABASE_ERRORS as error:
        remedy = "start it, make room on its disk, or fix FORGEGUARD_DATABASE_URL"
        yield Diagnosis("database", False, f"cannot be used: {type(error).__name__}", remedy)
        return
    for diagnosis in (*_diagnose_figures(health), *_diagnose_bounds(cut, left)):
        yield diagnosis


def _diagnose_figures(health: Health) -> Iterator[Diagnosis]:
    waiting = health.jobs.get("todo", 0)
    yield Diagnosis(
        "workers", health.workers > 0, f"{health.workers} at work, {waiting} jobs wait", "start `forgeguard worker`"
    )
    failed = health.jobs.get("failed", 0)
    yield Diagnosis(
        "queue", not failed, f"{failed} jobs were given up", "the log says why under `job.failed`; they go after a week"
    )
    oldest = health.oldest_unevaluated_s
    yield Diagnosis(
        "heads",
        oldest < OLDEST_WELL_S,
        f"{health.unevaluated} without a verdict, the oldest for {oldest:.0f} s",
        "start more workers; where verdicts wait for GitHub's limits, they come by themselves",
    )
    yield Diagnosis(
        "limits",
        not health.blocked,
        f"{health.blocked} installations told to wait, {health.waiting} verdicts wait for room",
        "nothing: they are published as soon as GitHub allows it",
    )
    yield Diagnosis(
        "verdicts",
        not health.refused,
        f"{health.refused} that GitHub does not take",
        "their audits say why; see permissions",
    )


def _diagnose_bounds(cut: Sequence[str], left: Sequence[str]) -> Iterator[Diagnosis]:
    yield Diagnosis(
        "lists",
        not cut,
        f"cut at their bound today: {', '.join(cut)}" if cut else "GitHub's lists were read to their ends",
        "nothing is removed because of a list that was cut; what lost events would have told of beyond its "
        "end is not noticed",
    )
    yield Diagnosis(
        "time limits",
        not left,
        f"passed today by what did not end at them: {', '.join(left)}"
        if left
        else "all work ended at its limits today",
        "where it is much, workers start again by themselves and log `worker.threads_left`; report the repository",
    )


class Examination(Protocol):
    """The parts to diagnose: a worker's, or those of the pages."""

    @property
    def pool(self) -> Pool:
        """The database."""

    @property
    def client(self) -> Client:
        """GitHub's API."""

    @property
    def app(self) -> AppAccess:
        """GitHub, as the App."""

    @property
    def address(self) -> str:
        """Return the address at which GitHub reaches us."""


async def examine_github(context: Examination) -> AsyncIterator[Diagnosis]:
    """Examine GitHub, the App's credentials and clock, permissions, the webhook and its deliveries."""
    try:
        app = await context.app.ask("GET", "/app")
        hook = await context.app.ask("GET", "/app/hook/config")
    except (RetryLater, RequestRejected) as error:
        remedy = "fix FORGEGUARD_GITHUB_API_URL, FORGEGUARD_APP_ID or FORGEGUARD_PRIVATE_KEY, or wait for GitHub"
        yield Diagnosis("GitHub", False, str(error), remedy)
        return
    yield Diagnosis("GitHub", True, f"we are the App {clean_text(str(app.get('slug')), 100)}")
    skew = context.client.clock.skew_s
    yield Diagnosis(
        "clock", abs(skew) < SKEW_WELL_S, f"{abs(skew):.0f} s off GitHub's", "let NTP set this machine's clock"
    )
    wrong = [
        *missing_permissions(app.get("permissions") or {}),
        *(f"event {event}" for event in not_subscribed(app.get("events") or ())),
    ]
    yield Diagnosis(
        "permissions",
        not wrong,
        "as app.yml asks" if not wrong else "without " + ", ".join(wrong),
        "add them in the App's settings",
    )
    async for diagnosis in _installations(context):
        yield diagnosis
    wanted = f"{context.address}/webhooks/github"
    yield Diagnosis(
        "webhook",
        hook.get("url") == wanted,
        f"GitHub sends to {clean_text(str(hook.get('url')), 300)}",
        f"set it to {wanted}",
    )
    yield await _deliveries(context)


async def _installations(context: Examination) -> AsyncIterator[Diagnosis]:
    async with context.pool.acquire() as connection:
        installations = await list_live_installations(connection)
    suspended = sum(installation.status == InstallationStatus.SUSPENDED for installation in installations)
    yield Diagnosis("installations", True, f"{len(installations)}, of them {suspended} suspended")
    for installation in installations:
        wrong = missing_permissions(installation.permissions) if installation.permissions else []
        if wrong and installation.status == InstallationStatus.ACTIVE:
            remedy = "its owner accepts the new permissions in the installation's settings"
            yield Diagnosis(f"installation {installation.account_login}", False, "lacks " + ", ".join(wrong), remedy)


async def _deliveries(context: Examination) -> Diagnosis:
    compared = await list_missed(context)
    refused = f", {compared.refused} were malformed" if compared.refused else ""
    of = (
        f"the newest {compared.sent:,}, of more within a day," if compared.is_cut else f"the last day's {compared.sent}"
    )
    return Diagnosis(
        "deliveries",
        not compared.missed,
        f"{len(compared.missed)} of {of} never arrived{refused}",
        "run `forgeguard redeliver`; a worker does so every few minutes",
    )


@dataclass(frozen=True, slots=True)
class ComparedLog:
    """The deliveries that GitHub sent within a day: their number, those that never arrived, the number refused.

    `is_cut` says that GitHub sent more, which were not compared.
    """

    sent: int
    missed: list[Attempt]
    refused: int
    is_cut: bool = False


async def list_missed(context: Examination) -> ComparedLog:
    """Compare the deliveries that GitHub sent within the last day with the inbox, the newest first.

    At most 1,000 deliveries are compared, and 10,000 attempts read.

    Raises:
        RequestRejected, RetryLater: GitHub does not list them.
    """
    now = datetime.fromtimestamp(context.client.clock.now(), UTC)
    newest: dict[str, Attempt] = {}
    path: str | None = NEWEST
    pages = 0
    while path is not None and pages < MAX_PAGES and len(newest) <= MAX_COMPARED:
        page = await read_page(context.app, path)
        pages += 1
        for attempt in page.attempts:
            if SETTLED < now - attempt.delivered_at <= DAY:
                newest.setdefault(attempt.guid, attempt)
        is_whole = any(now - attempt.delivered_at > DAY for attempt in page.attempts)
        path = None if is_whole else page.next_path
    guids = list(newest)[:MAX_COMPARED]
    async with context.pool.acquire() as connection:
        known = await list_known(connection, guids)
    missed = [newest[guid] for guid in guids if guid not in known]
    refused = list(known.values()).count(DeliveryOutcome.REFUSED)
    return ComparedLog(len(guids), missed, refused, path is not None or len(newest) > MAX_COMPARED)
