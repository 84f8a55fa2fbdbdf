"""Contracts are written from the answers that stand when they are kept, whoever answers while they are worked out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from forgeguard_app.errors import UserError
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects.answer_questionnaire import answer_questionnaire
from forgeguard_app.flows.projects.manage_project import create_project, described, link_project
from forgeguard_app.flows.projects.save_contract import ATTEMPTS, IncompleteAnswers, draft_in_thread, write_contracts
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.contracts.render import Draft
from forgeguard_app.store.contracts import list_contracts
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.repos import get_repo
from forgeguard_app.store.users import SealedTokens, upsert_user
from tests.support.answers import filled
from tests.support.stored_verdicts import add_repo


async def answered_project(pool: Pool) -> UUID:
    """A project without contracts, all of its questions answered."""
    async with pool.acquire() as connection:
        user_id = await upsert_user(connection, 4_711, "mona", None, SealedTokens("x", None, None))
    person = Person(user_id, 4_711, "mona", user_id, None)
    project_id = await create_project(pool, person, described("Shop", ""), None)
    await answer_questionnaire(pool, project_id, dict(filled("python-aiohttp").values))
    return project_id


class Interrupting:
    """Drafts contracts, and answers a question after each of the first `times` drafts."""

    def __init__(self, pool: Pool, project_id: UUID, times: int) -> None:
        self.pool, self.project_id, self.times = pool, project_id, times
        self.drafted = 0

    async def draft(self, name: str, state: Mapping[str, Any]) -> Mapping[ContractType, Draft]:
        found = await draft_in_thread(name, state)
        self.drafted += 1
        if self.drafted <= self.times:
            given = {"intent.summary": f"It keeps orders, as of answer {self.drafted}"}
            await answer_questionnaire(self.pool, self.project_id, given)
        return found


async def test_answers_that_change_meanwhile_are_the_ones_that_the_contracts_say(pool: Pool) -> None:
    project_id = await answered_project(pool)
    interrupting = Interrupting(pool, project_id, 1)
    assert len(await write_contracts(pool, project_id, drafter=interrupting.draft)) == len(ContractType)
    async with pool.acquire() as connection:
        texts = {contract.contract_type: contract.content for contract in await list_contracts(connection, project_id)}
    assert "as of answer 1" in texts[ContractType.BLUEPRINT]
    assert interrupting.drafted == 2


async def test_answers_that_go_on_changing_write_nothing_and_it_is_said(pool: Pool) -> None:
    project_id = await answered_project(pool)
    interrupting = Interrupting(pool, project_id, ATTEMPTS)
    with pytest.raises(UserError, match="Nothing was written"):
        await write_contracts(pool, project_id, drafter=interrupting.draft)
    assert interrupting.drafted == ATTEMPTS
    async with pool.acquire() as connection:
        assert await list_contracts(connection, project_id) == []


async def test_who_administers_no_repository_writes_no_boundaries_by_linking_one_meanwhile(pool: Pool) -> None:
    project_id = await answered_project(pool)
    async with pool.acquire() as connection:
        repo_id = await add_repo(connection)
        repo = await get_repo(connection, repo_id)

    async def draft(name: str, state: Mapping[str, Any]) -> Mapping[ContractType, Draft]:
        await link_project(pool, project_id, repo, may_decide=False)  # a writer may: there are no boundaries yet
        return await draft_in_thread(name, state)

    with pytest.raises(UserError, match="only admins of the repository"):
        await write_contracts(pool, project_id, drafter=draft)
    async with pool.acquire() as connection:
        assert await list_contracts(connection, project_id) == []
    assert await write_contracts(pool, project_id, decided_for=repo_id), "an admin's are written"


async def test_nothing_is_drafted_where_an_answer_is_missing(pool: Pool) -> None:
    project_id = await answered_project(pool)
    await answer_questionnaire(pool, project_id, {"intent.summary": ""})
    interrupting = Interrupting(pool, project_id, 0)
    with pytest.raises(IncompleteAnswers, match="Not answered yet"):
        await write_contracts(pool, project_id, drafter=interrupting.draft)
    assert interrupting.drafted == 0
