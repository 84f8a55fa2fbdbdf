"""The doctor says in words what is well and what is not, with the remedy."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
import yaml

from forgeguard_app.github.permissions import EVENTS, PERMISSIONS
from forgeguard_app.simulator.state import stamp
from tests.support.running import APP_ID, PRIVATE_KEY, Product, running

ROOT = Path(__file__).parents[2]
PASSWORD = "hunter2-is-mine"


async def doctor(product: Product, *verb: str, **changes: str) -> tuple[int, str]:
    env = {
        **os.environ,
        "FORGEGUARD_DATABASE_URL": product.dsn,
        "FORGEGUARD_SECRET_KEY": "k" * 32,
        "FORGEGUARD_HOME": str(product.context.home),
        "FORGEGUARD_APP_ID": str(APP_ID),
        "FORGEGUARD_PRIVATE_KEY": PRIVATE_KEY,
        "FORGEGUARD_WEBHOOK_SECRET": "s",
        "FORGEGUARD_GITHUB_URL": product.github.address,
        "FORGEGUARD_GITHUB_API_URL": product.github.api_url,
        "FORGEGUARD_PUBLIC_URL": product.address,
        "PYTHONPATH": str(ROOT),
        **changes,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "forgeguard_app.cli.main",
        *(verb or ("doctor",)),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, (out + err).decode()


@pytest.mark.nightly
async def test_all_is_well(product: Product) -> None:
    await product.repository()
    status, output = await doctor(product)
    assert status == 0, output
    assert "ILL" not in output and output.count("ok   ") == 16
    assert output.endswith("All is well.\n")


@pytest.mark.nightly
async def test_what_is_not_well_comes_with_its_remedy(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        app = product.github.world.app
        assert app is not None
        product.github.world.skew_s = 100.0
        app.permissions.pop("merge_queues")
        app.events.remove("merge_group")
        app.webhook_url, address = f"http://hook:{PASSWORD}@127.0.0.1:9/\x1b[31m", app.webhook_url
        await product.repository()
        for delivery in product.github.world.deliveries:
            delivery.delivered_at = stamp(product.github.world.now() - 600)
        status, output = await doctor(product)
        app.webhook_url = address
        redelivered = await doctor(product, "redeliver", "--since", "1d")
        await product.github.webhooks.settle()
        assert [delivery.status_code for delivery in product.github.world.deliveries][-1] == 202
        unreached = await doctor(product, "redeliver", FORGEGUARD_GITHUB_API_URL="http://127.0.0.1:9")
    assert redelivered == (0, "1 delivery in GitHub's log; 1 asked for again, 0 taken from the log.\n")
    assert (unreached[0], "GitHub was not reached" in unreached[1], "Traceback" in unreached[1]) == (2, True, False)
    assert status == 1
    for words in (
        "ILL  workers: 0 at work",
        "→ start `forgeguard worker`",
        "ILL  clock: ",
        "without merge_queues: read, event merge_group",
        f"→ set it to {address}",
        "ILL  deliveries: 1 of the last day's 1 never arrived",
        "→ run `forgeguard redeliver`",
        "5 to fix",
    ):
        assert words in output, (words, output)
    assert PASSWORD not in output and "\x1b[31m" not in output.partition("GitHub sends to")[2]


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"FORGEGUARD_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}, "ILL  database: cannot be reached"),
        ({"FORGEGUARD_GITHUB_API_URL": "http://127.0.0.1:9"}, "ILL  GitHub: GitHub was not reached"),
        ({"FORGEGUARD_APP_ID": "99"}, "ILL  GitHub: GitHub does not take us for the App"),
    ],
)
async def test_what_cannot_be_reached_is_named(product: Product, changes: dict[str, str], words: str) -> None:
    status, output = await doctor(product, **changes)
    assert (status, words in output) == (1, True), output
    assert "Traceback" not in output


@pytest.mark.nightly
async def test_an_installation_that_withdrew_a_permission_is_named(product: Product) -> None:
    _, installation = await product.repository()
    assert installation is not None
    installation.permissions = {"metadata": "read", "checks": "read"}
    product.github.webhooks.send(
        "installation", product.github.installation_payload("new_permissions_accepted", installation)
    )
    await product.idle()
    status, output = await doctor(product)
    assert status == 1
    assert f"installation {installation.account.login}: lacks checks: write, contents: read" in output


def test_what_the_code_needs_is_what_app_yml_asks_for() -> None:
    asked = yaml.safe_load((ROOT / "app.yml").read_text())
    assert asked["permissions"] == dict(PERMISSIONS)
    assert asked["events"] == list(EVENTS)
