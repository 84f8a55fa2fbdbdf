"""The API is what its document says: schemathesis asks it thousands of things and finds nothing."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.api import Known, all_known
from tests.support.repositories import WorkTree
from tests.support.running import running

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,ignored_auth"
)


@pytest.mark.nightly
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
