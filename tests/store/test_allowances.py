"""Allowances as they are stored."""

from __future__ import annotations

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.store.allowances import NewAllowance, insert_allowance, list_in_force
from forgeguard_app.store.pool import Pool
from tests.support.stored_builds import insert_person
from tests.support.stored_verdicts import add_repo


async def test_a_finding_of_every_check_can_be_allowed(pool: Pool) -> None:
    async with pool.acquire() as connection:
        repo_id, user_id = await add_repo(connection), await insert_person(connection, 4_711, "mona")
        for code in CheckCode:
            new = NewAllowance(repo_id, code, "f" * 64, "rule", "a.py", "known", user_id, "mona", None)
            await insert_allowance(connection, new)
        assert await list_in_force(connection, repo_id) == {str(code): frozenset({"f" * 64}) for code in CheckCode}
