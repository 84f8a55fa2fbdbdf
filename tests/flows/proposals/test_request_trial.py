"""Trials take no more than a person's quota: those that ended first lose what they showed, and that is said."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.proposals import request_trial as request_trial_module
from forgeguard_app.flows.proposals.request_trial import request_trial
from forgeguard_app.flows.upkeep.enforce_quotas import enforce_quotas
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.repos import Repo, get_repo
from forgeguard_app.store.storage import list_uses
from forgeguard_app.store.trials import delete_contents_over, set_trial_done
from tests.support.stored_verdicts import add_repo

CONTENT = "x" * 1_000


async def add_person(connection: Connection, number: int) -> Person:
    user_id = await connection.fetchval(
        "INSERT INTO users (github_id, github_login) VALUES ($1, 'u' || $1::bigint) RETURNING id", number
    )
    return Person(user_id, number, f"u{number}", user_id, None)


async def end(connection: Connection, trial_id: UUID) -> None:
    await set_trial_done(connection, trial_id, None, {})
    await connection.execute("UPDATE trials SET completed_at = clock_timestamp() WHERE id = $1", trial_id)


async def kept(connection: Connection, person: Person) -> set[UUID]:
    rows = await connection.fetch(
        "SELECT id FROM trials WHERE user_id = $1 AND content IS NOT NULL AND content_deleted_at IS NULL",
        person.user_id,
    )
    return {row["id"] for row in rows}


async def known(pool: Pool) -> tuple[Repo, Person, Person]:
    async with pool.acquire() as connection:
        repo = await get_repo(connection, await add_repo(connection))
        return repo, await add_person(connection, 1), await add_person(connection, 2)


async def test_trials_take_no_more_than_a_person_s_quota(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = replace(QUOTAS, trials_of_person=3_100, pending_trials_of_person=2_000)
    monkeypatch.setattr(request_trial_module, "QUOTAS", quotas)
    repo, mona, other = await known(pool)
    theirs = await request_trial(pool, other, repo, "boundaries.json", CONTENT)
    asked = []
    async with pool.acquire() as connection:
        await end(connection, theirs)
        for _ in range(5):
            asked.append(await request_trial(pool, mona, repo, "boundaries.json", CONTENT))
            await end(connection, asked[-1])
        pending = await request_trial(pool, mona, repo, "boundaries.json", CONTENT)
        assert await kept(connection, mona) == {*asked[-2:], pending}
        assert await kept(connection, other) == {theirs}
        gone = await connection.fetch("SELECT id, result FROM trials WHERE content_deleted_at IS NOT NULL")
        assert {(row["id"], row["result"]) for row in gone} == {(trial_id, None) for trial_id in asked[:3]}
        async with connection.transaction():
            await delete_contents_over(connection, mona.user_id, 0)
        assert await kept(connection, mona) == {pending}, "what waits is kept whatever the quota"


async def test_trials_that_wait_are_refused_beyond_their_bound_also_at_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_trial_module, "QUOTAS", replace(QUOTAS, pending_trials_of_person=2_000))
    repo, mona, other = await known(pool)
    asking = [request_trial(pool, mona, repo, "boundaries.json", CONTENT) for _ in range(5)]
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert len([outcome for outcome in outcomes if isinstance(outcome, UUID)]) == 2
    assert all("have not ended" in str(outcome) for outcome in outcomes if isinstance(outcome, UserError))
    await request_trial(pool, other, repo, "boundaries.json", CONTENT)


async def test_trials_from_before_the_quota_are_shown_to_the_operator_and_deleted(pool: Pool) -> None:
    repo, mona, _ = await known(pool)
    async with pool.acquire() as connection:
        for _ in range(4):
            await end(connection, await request_trial(pool, mona, repo, "boundaries.json", CONTENT))
        await enforce_quotas(pool)
        uses = {(use.kind, use.holder_kind, use.holder_name): use.bytes for use in await list_uses(connection, 99)}
        assert 4_000 < uses["trials", "person", "u1"] < 4_200
        await enforce_quotas(pool, replace(QUOTAS, trials_of_person=2_500))
        assert len(await kept(connection, mona)) == 2
