"""A repository with an audit, a project and a token, as the API is asked about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects.answer_questionnaire import answer_questionnaire
from forgeguard_app.flows.projects.manage_project import create_project, described
from forgeguard_app.flows.projects.save_contract import write_contracts
from forgeguard_app.store.build_logs import NewLine, insert_lines
from forgeguard_app.store.builds import NewBuild, insert_build, set_build_ended
from forgeguard_app.store.repos import find_repo
from tests.support.answers import filled
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.stored import get_repo_id, get_user_id
from tests.support.stored_runs import get_run_id


@dataclass
class Known:
    """A repository with an audit, and a token that may write to it."""

    product: Product
    token: str
    ids: dict[str, str]


async def all_known(product: Product, tree: WorkTree) -> Known:
    repository, _ = await product.repository(private=True)
    tree.commit({"pyproject.toml": "[project]\nname='x'\nversion='1'\n", "a.py": "import yaml\nimport requests\n"})
    await product.verdicts(repository, await product.push(tree, repository))
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "admin")
    async with Browser(product) as browser:
        await browser.sign_in(user, "/account")
        await browser.submit("/account/tokens", name="t", scope="write", days="30")
        token = re.findall(r"fgp_[\w-]+", browser.text)[0]
    async with product.pool.acquire() as connection:
        ids = {
            "run_id": str(await get_run_id(connection)),
            "repo_id": str(await get_repo_id(connection)),
        }
    ids |= await project_of(product, user.id)
    return Known(product, token, ids)


async def project_of(product: Product, github_id: int) -> dict[str, str]:
    """A project of that person with its contracts, linked to the one repository, and a build that ended."""
    async with product.pool.acquire() as connection:
        user_id = await get_user_id(connection, github_id)
        repo = await find_repo(connection, await get_repo_id(connection))
    person = Person(user_id, github_id, "mona", user_id, None)
    project_id = await create_project(product.pool, person, described("Shop", ""), repo)
    await answer_questionnaire(product.pool, project_id, dict(filled("python-aiohttp").values))
    await write_contracts(product.pool, project_id, decided_for=repo.id if repo else None)
    async with product.pool.acquire() as connection, connection.transaction():
        assert repo is not None
        new = NewBuild(project_id, repo.id, user_id, "mona", "built-in", {"phases": ""}, ["Phase 0: x"])
        build_id = await insert_build(connection, new)
        await set_build_ended(connection, build_id, "failed", detail="for the test")
        await insert_lines(connection, build_id, [NewLine(datetime.now(UTC), "system", "info", "said")] * 3)
    return {"project_id": str(project_id), "build_id": str(build_id), "contract_type": "ui"}


async def ask(known: Known, path: str, *, method: str = "GET", status: int = 200, **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {known.token}", **more.pop("headers", {})}
    address = f"{known.product.address}/api/v1{path}"
    async with known.product.session.request(method, address, headers=headers, **more) as answer:
        assert answer.status == status, await answer.text()
        return None if status in (204, 304) else await answer.json(content_type=None)
