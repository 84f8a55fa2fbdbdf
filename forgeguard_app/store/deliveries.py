"""The inbox of webhook deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from forgeguard_app.store.audits import NewRun
from forgeguard_app.store.pool import Connection, RowLocked
from forgeguard_app.store.repos import RepoFacts
from forgeguard_app.store.states import DeliveryOutcome


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as it is stored: enough to recognize it, nothing of its payload."""

    github_delivery_id: str
    event: str
    action: str | None
    github_installation_id: int | None
    github_repo_id: int | None
    outcome: DeliveryOutcome


async def insert_delivery(connection: Connection, delivery: Delivery) -> UUID | None:
    """Return our key for the delivery; None where it was here before and was not refused."""
    found: UUID | None = await connection.fetchval(
        """
        INSERT INTO deliveries AS d (github_delivery_id, event, action, github_installation_id, github_repo_id, outcome)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (github_delivery_id) DO UPDATE SET event = excluded.event, action = excluded.action,
            github_installation_id = excluded.github_installation_id, github_repo_id = excluded.github_repo_id,
            outcome = excluded.outcome, received_at = now()
        WHERE d.outcome = 'refused'
        RETURNING d.id
        """,
        delivery.github_delivery_id,
        delivery.event,
        delivery.action,
        delivery.github_installation_id,
        delivery.github_repo_id,
        delivery.outcome,
    )
    return found


async def set_outcome(connection: Connection, delivery_id: UUID, outcome: str) -> None:
    """Store the outcome of a delivery that was decided later."""
    await connection.execute("UPDATE deliveries SET outcome = $2 WHERE id = $1", delivery_id, outcome)


async def list_known(connection: Connection, github_delivery_ids: list[str]) -> dict[str, DeliveryOutcome]:
    """Return the outcomes of those of the deliveries that are in the inbox."""
    rows = await connection.fetch(
        "SELECT github_delivery_id, outcome FROM deliveries WHERE github_delivery_id = ANY($1::text[])",
        github_delivery_ids,
    )
    return {row["github_delivery_id"]: DeliveryOutcome(row["outcome"]) for row in rows}


@dataclass(frozen=True, slots=True)
class Account:
    """Whose installation it is; '' where the delivery does not say."""

    github_id: int | None = None
    login: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class NewPush:
    """A push that is not stored yet: `run` is None where nothing is to be evaluated.

    With `unless_known` a head that has any run gets no other.
    """

    account: Account
    repo: RepoFacts
    run: NewRun | None
    unless_known: bool = False


async def insert_pushes(
    connection: Connection,
    pushes: Sequence[tuple[Delivery, NewPush]],
    priorities: Sequence[int],
    lock_wait_ms: int,
) -> list[tuple[str, UUID | None]]:
    """Return each delivery's outcome ('known' where it was here before) and audit run, all of it in one statement.

    In the order of the repositories, whose rows are locked, so that two calls cannot deadlock.

    Raises:
        RowLocked: another transaction held one of the rows for `lock_wait_ms`; nothing is stored.
    """
    order = sorted(range(len(pushes)), key=lambda number: pushes[number][1].repo.github_repo_id)
    columns = zip(*(_columns(*pushes[number]) for number in order), strict=True)
    try:
        rows = await connection.fetch(_INSERT_PUSHES, *map(list, columns), list(priorities), str(lock_wait_ms))
    except asyncpg.LockNotAvailableError as error:
        raise RowLocked("another transaction holds a row of these pushes") from error
    answers: list[tuple[str, UUID | None]] = [("known", None)] * len(pushes)
    for number, row in zip(order, rows, strict=True):
        answers[number] = (row["outcome"], row["run_id"])
    return answers


# Every call of the function refers to `bounds`, so that its locks are bounded before it takes any.
# https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
_INSERT_PUSHES = """
SELECT taken.outcome, taken.run_id
FROM (SELECT set_config('lock_timeout', $20, true) AS lock_timeout OFFSET 0) AS bounds
CROSS JOIN unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[],
    $9::text[],
    $10::text[], $11::boolean[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::boolean[],
        $18::timestamptz[]
) WITH ORDINALITY AS p(delivery, event, action, installation, account, login, kind, repo, name, default_branch,
    private, sha, branch, before, message, author, unless_known, as_of, number)
CROSS JOIN LATERAL take_push(CASE WHEN bounds.lock_timeout IS NOT NULL THEN p.delivery END, p.event, p.action,
    p.installation, p.account, p.login, p.kind, p.repo, p.name, p.default_branch, p.private, p.sha, p.branch,
    p.before, p.message, p.author, $19::integer[], p.unless_known, p.as_of) AS taken
ORDER BY p.number
"""


def _columns(delivery: Delivery, push: NewPush) -> tuple[object, ...]:
    run, repo, account = push.run, push.repo, push.account
    what = (delivery.github_delivery_id, delivery.event, delivery.action, delivery.github_installation_id)
    whose = (account.github_id, account.login, account.kind)
    where = (repo.github_repo_id, repo.full_name, repo.default_branch, repo.private)
    head: tuple[str | None, ...] = (None,) * 5
    if run is not None:
        head = (run.commit_sha, run.branch, run.before_sha, run.commit_message, run.commit_author)
    return (*what, *whose, *where, *head, push.unless_known, repo.as_of)
