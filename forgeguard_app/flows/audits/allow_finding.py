"""A person who may write allows a finding, or ends an allowance: heads that contain it are evaluated again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.audit.counts import FindingGroup
from forgeguard_app.errors import UserError
from forgeguard_app.flows.intake.rerun_audit import start_or_defer
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.github.events import clean_text
from forgeguard_app.store.allowances import (
    RESTORABLE_DAYS,
    Allowance,
    NewAllowance,
    end_allowance,
    end_expired,
    insert_allowance,
    list_expired,
    list_heads_with,
    reopen_allowance,
)
from forgeguard_app.store.audits import AuditRun, find_run
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.findings import find_finding
from forgeguard_app.store.pool import Connection, Pool, Unreachable
from forgeguard_app.store.repos import lock_repo

MAX_REASON_CHARS = 1_000
MAX_DAYS = 3_650
EXPIRED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class AllowanceRequest:
    """A finding to be allowed; `days` None for no end."""

    check_code: str
    fingerprint: str
    reason: str
    days: int | None


async def allow_finding(pool: Pool, person: Person, run: AuditRun, wish: AllowanceRequest) -> Allowance:
    """Let the finding of this run count no more, here and wherever it stands in the repository.

    Raises:
        UserError: there is no such finding in the run, or no reason is given.
    """
    reason = clean_text(wish.reason.strip(), MAX_REASON_CHARS) or ""
    if not reason:
        raise UserError("Say why it is allowed: somebody who reads it in a year will ask.", field="reason")
    if wish.days is not None and not 1 <= wish.days <= MAX_DAYS:
        raise UserError(f"An allowance holds for 1 to {MAX_DAYS} days, or without an end.", field="days")
    async with pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, run.repo_id)
        finding = await find_finding(connection, run.id, wish.check_code, wish.fingerprint)
        if finding is None:
            raise UserError("This audit has no such finding. Load its page again.")
        if finding.part == FindingGroup.PROBLEM:
            raise UserError(
                f"An error in a configuration file cannot be allowed: nothing is evaluated until {finding.path},"
                f" line {finding.line}, is corrected."
            )
        if finding.part == FindingGroup.NOTICE:
            raise UserError("A notice cannot be allowed, because it never counts towards the result.")
        new = NewAllowance(
            run.repo_id,
            wish.check_code,
            wish.fingerprint,
            finding.rule,
            finding.path,
            reason,
            person.user_id,
            person.login,
            wish.days,
        )
        allowance = await insert_allowance(connection, new)
        await _evaluate_again(connection, allowance, person.github_id)
    return allowance


async def revoke_allowance(pool: Pool, person: Person, allowance: Allowance) -> None:
    """Let the finding count again."""
    async with pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, allowance.repo_id)
        if await end_allowance(connection, allowance.id):
            await _evaluate_again(connection, allowance, person.github_id)


async def restore_allowance(pool: Pool, person: Person, allowance: Allowance) -> None:
    """Put an allowance that somebody ended lately into force again.

    Raises:
        UserError: it is too late, or the finding was allowed again meanwhile.
    """
    async with pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, allowance.repo_id)
        if not await reopen_allowance(connection, allowance.id):
            raise UserError(
                f"This allowance cannot be restored: it ended more than {RESTORABLE_DAYS} days ago, its time is over, "
                "or the finding was allowed again meanwhile."
            )
        await _evaluate_again(connection, allowance, person.github_id)


async def end_expired_allowances(pool: Pool) -> int:
    """End the allowances whose time is over, and return their number; one that fails holds up no other.

    Raises:
        Unreachable, TimeoutError: the database is away.
        Exception: as the last allowance that failed raised it, after all the others; the next pass tries it again.
    """
    ended = 0
    fault: Exception | None = None
    async for allowance in _expired(pool):
        try:
            ended += await _end_expired(pool, allowance)
        except Unreachable:
            raise  # the database is away, for all of them
        except TimeoutError as error:
            await _probe(pool)
            fault = error
        except Exception as error:
            fault = error
    if fault is not None:
        raise fault
    return ended


async def _probe(pool: Pool) -> None:
    """Raise TimeoutError where the database does not answer at all, which is no allowance's own fault."""
    async with pool.acquire() as connection:
        await connection.fetchval("SELECT 1")


async def _expired(pool: Pool) -> AsyncIterator[Allowance]:
    last: Allowance | None = None
    while True:
        async with pool.acquire() as connection:
            found = await list_expired(connection, last, EXPIRED_AT_ONCE)
        for allowance in found:
            yield allowance
        if len(found) < EXPIRED_AT_ONCE:
            return
        last = found[-1]


async def _end_expired(pool: Pool, allowance: Allowance) -> bool:
    """End one allowance together with the start of its re-runs: nobody else looks for the heads of an ended one."""
    async with pool.acquire() as connection, connection.transaction():
        await lock_repo(connection, allowance.repo_id)
        if not await end_expired(connection, allowance.id):
            return False
        await _evaluate_again(connection, allowance, None)
    return True


async def _evaluate_again(connection: Connection, allowance: Allowance, asked_by: int | None) -> None:
    heads: list[UUID] = await list_heads_with(
        connection, allowance.repo_id, allowance.check_code, allowance.fingerprint
    )
    for head in heads:
        former = await find_run(connection, head)
        if former is not None:
            await start_or_defer(connection, former, asked_by)
    if heads:
        await notify_change(connection, allowance.repo_id)
