"""The API is what its document says: schemathesis asks it thousands of things and finds nothing."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product

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
async def known(product: Product, tree: WorkTree) -> AsyncIterator[Known]:
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
    yield Known(product, token, ids)


@pytest.mark.parametrize("with_ids", [True, False])
async def test_schemathesis_finds_nothing(known: Known, tmp_path: Path, with_ids: bool) -> None:
    config = tmp_path / "schemathesis.toml"
    ids = "".join(f'"path.{name}" = "{value}"\n' for name, value in known.ids.items())
    config.write_text(f"[parameters]\n{ids}" if with_ids else "")
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{known.product.address}/api/v1/openapi.json",
        "--header", f"Authorization: Bearer {known.token}", "--checks", CHECKS, "--phases", "examples,coverage,fuzzing",
        "--max-examples", "10", "--workers", "2", "--request-timeout", "20", "--seed", "1", "--no-color",
    ]  # fmt: skip
    if with_ids:
        command += ["--mode", "positive"]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=240, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
