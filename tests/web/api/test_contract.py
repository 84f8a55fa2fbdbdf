"""The API is what its document says: schemathesis asks it thousands of things and finds nothing."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.flows.projects.answer_questionnaire import answer_questionnaire
from forgeguard_app.flows.projects.manage_project import create_project, described
from forgeguard_app.flows.projects.save_contract import write_contracts
from forgeguard_app.store.build_logs import NewLine, insert_lines
from forgeguard_app.store.builds import NewBuild, insert_build, set_build_ended
from forgeguard_app.store.repos import find_repo
from tests.projects.test_projects import filled
from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product, running

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,ignored_auth"
)


@dataclass
class Known:
    """A repository with an audit, and a token that may write to it."""

    product: Product
    token: str
    ids: dict[str, str]


@pytest.fixture
async def known(dsn: str, tmp_path: Path, tree: WorkTree) -> AsyncIterator[Known]:
    async with running(dsn, tmp_path / "product", api_per_minute=1_000_000) as product:
        yield await all_known(product, tree)


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
            "run_id": str(await connection.fetchval("SELECT id FROM audit_runs")),
            "repo_id": str(await connection.fetchval("SELECT id FROM repos")),
        }
    ids |= await project_of(product, user.id)
    return Known(product, token, ids)


async def project_of(product: Product, github_id: int) -> dict[str, str]:
    """A project of that person with its contracts, linked to the one repository, and a build that ended."""
    async with product.pool.acquire() as connection:
        user_id = await connection.fetchval("SELECT id FROM users WHERE github_id = $1", github_id)
        repo = await find_repo(connection, await connection.fetchval("SELECT id FROM repos"))
    person = Person(user_id, github_id, "mona", user_id, None)
    project_id = await create_project(product.pool, person, described("Shop", ""), repo)
    await answer_questionnaire(product.pool, project_id, dict(filled("python-aiohttp").values))
    await write_contracts(product.pool, project_id)
    async with product.pool.acquire() as connection, connection.transaction():
        assert repo is not None
        new = NewBuild(project_id, repo.id, user_id, "mona", "built-in", {"phases": ""}, ["Phase 0: x"])
        build_id = await insert_build(connection, new)
        await set_build_ended(connection, build_id, "failed", detail="for the test")
        await insert_lines(connection, build_id, [NewLine(datetime.now(UTC), "system", "info", "said")] * 3)
    return {"project_id": str(project_id), "build_id": str(build_id), "contract_type": "ui"}


async def test_a_token_that_asks_too_often_is_told_when_to_ask_again(dsn: str, tmp_path: Path, tree: WorkTree) -> None:
    async with running(dsn, tmp_path / "product", api_per_minute=3) as product:
        known = await all_known(product, tree)
        headers = {"Authorization": f"Bearer {known.token}"}
        statuses = []
        for _ in range(4):
            async with product.session.get(f"{product.address}/api/v1/me", headers=headers) as answer:
                statuses.append((answer.status, answer.headers.get("Retry-After")))
        assert statuses == [(200, None)] * 3 + [(429, "20")]


@pytest.mark.parametrize(
    ("with_ids", "examples"),
    [
        (True, 5),
        (False, 3),
        pytest.param(True, 30, marks=pytest.mark.nightly),
        pytest.param(False, 10, marks=pytest.mark.nightly),
    ],
)
async def test_schemathesis_finds_nothing(known: Known, tmp_path: Path, with_ids: bool, examples: int) -> None:
    config = tmp_path / "schemathesis.toml"
    ids = "".join(f'"path.{name}" = "{value}"\n' for name, value in known.ids.items())
    config.write_text(f"[parameters]\n{ids}" if with_ids else "")
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "--config-file",
        str(config),
        "run",
        f"{known.product.address}/api/v1/openapi.json",
        "--header",
        f"Authorization: Bearer {known.token}",
        "--checks",
        CHECKS,
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        str(examples),
        "--workers",
        "1",
        "--request-timeout",
        "20",
        "--seed",
        "1",
        "--no-color",
    ]
    if with_ids:
        command += ["--mode", "positive"]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
