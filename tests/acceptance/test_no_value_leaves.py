"""A value that stands in a repository is in no output: check runs, pages, API, database, log, metrics, notices."""

from __future__ import annotations

import json
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from forgeguard_app.notices import Notices, Reach
from forgeguard_app.simulator.state import CheckRun, Repository
from tests.support.browsing import Browser
from tests.support.inbox import inbox
from tests.support.logged import logged
from tests.support.planted import LAYERS, PLACES, plant, remains
from tests.support.repositories import WorkTree
from tests.support.running import Product, running

# What a person gave us to keep or what names a thing: a branch is the key by which GitHub is asked for it.
KEPT_AS_GIVEN = {("audit_runs", "branch"), ("procrastinate_jobs", "args"), ("trials", "content")}
# Where these are broken, no check goes further than to say so.
DECIDES = {".github/forgeguard.yml", ".gitleaks.toml", "boundaries.json"}
RULES = json.dumps(
    {
        "layers": [
            {
                **LAYERS,
                "forbidden": [
                    {"pattern": '(?i)(password|token|url|k)\\s*=\\s*"[^"]+"', "reason": "no values in code"},
                    {"pattern": "[A-Za-z0-9_]{16,}", "reason": "no long words"},
                ],
            }
        ]
    }
)


def planted(source: random.Random) -> tuple[dict[str, str], list[str]]:
    """Return one file of each kind with a value in it, and the values."""
    files, values = {}, []
    for path, text in source.sample(PLACES, len(PLACES)):
        value = plant(source)
        word = "".join(char if char.isalnum() else "_" for char in f"m{value}")
        if path not in files:
            files[path.format(v=value)] = text.format(v=value, w=word)
            values.append(value)
    return files, values


async def everything_stored(product: Product) -> dict[str, str]:
    """Return what every column of every table of ours holds, as text."""
    async with product.pool.acquire() as connection:
        columns = await connection.fetch(
            """
            SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t
            USING (table_schema, table_name) WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
            """
        )
        found = {}
        for table, column in columns:
            if (table, column) not in KEPT_AS_GIVEN:
                rows = await connection.fetch(f'SELECT "{column}"::text AS text FROM "{table}"')
                found[f"{table}.{column}"] = "\n".join(row["text"] or "" for row in rows)
    return found


async def pages_of(product: Product, repository: Repository, runs: dict[str, CheckRun], tried: str) -> dict[str, str]:
    """Return the pages and API answers about the repository, as one sees them who may write to it and tries a text."""
    user = product.github.people.add("mona-write")
    product.github.people.allow(user, repository, "write")
    audit = "/audits/" + str(runs["A4"].details_url).rpartition("/")[2].partition("?")[0]
    name = f"/repos/{repository.full_name}"
    found = {}
    async with Browser(product) as browser:
        await browser.sign_in(user, audit)
        await browser.get(f"{name}/configuration")
        await browser.submit(f"{name}/configuration/try", path="boundaries.json", content='{"layers": [' + tried)
        browser.home()
        for path in ("/", audit, name, f"{name}/configuration", f"{name}/allowances", "/installations"):
            await browser.get(path)
            found[path] = browser.text
        for path in (f"/api/v1{audit}", f"/api/v1{audit}/findings", "/api/v1/repos"):
            await browser.get(path)
            found[path] = browser.text
    await product.idle()
    async with product.session.get(f"{product.address}/metrics") as answer:
        found["/metrics"] = await answer.text()
    return found


async def with_notices(product: Product, policies: WorkTree, address: str) -> Repository:
    """Return a repository whose owner wants notices."""
    owner = product.github.world.add_account("acme")
    shop = await product.github.create_repository(owner, "shop")
    policy = await product.github.create_repository(owner, ".github")
    product.github.install(owner, [shop, policy])
    await product.github.webhooks.settle()
    policies.commit({".github/forgeguard.yml": f"notify: {address}\n"})
    await product.push(policies, policy)
    await product.idle()
    return shop


@pytest.mark.parametrize(("seed", "broken"), [(1, True), (2, False), pytest.param(3, False, marks=pytest.mark.nightly)])
async def test_a_value_of_a_repository_is_in_no_output_of_the_product(
    dsn: str, tmp_path: Path, tree: WorkTree, seed: int, broken: bool
) -> None:
    source = random.Random(seed)
    async with AsyncExitStack() as stack:
        log = stack.enter_context(logged())
        box = await stack.enter_async_context(inbox(tmp_path))
        notices = Notices(Reach.LOOPBACK, box.trust)
        product = await stack.enter_async_context(running(dsn, tmp_path / "p", notices=notices))
        repository = await with_notices(product, WorkTree(tmp_path / "policies"), box.address)
        tree.commit({"app/__init__.py": "", "requirements.txt": "requests\n"})
        await product.verdicts(repository, await product.push(tree, repository))
        files, values = planted(source)
        if not broken:
            files = {path: text for path, text in files.items() if path not in DECIDES} | {"boundaries.json": RULES}
        later_values = [plant(source) for _ in range(4)]
        values += later_values
        tree.commit(files, f"Use {later_values[0]}\n\npassword = '{later_values[1]}'")
        runs = await product.verdicts(repository, await product.push(tree, repository, f"topic-{later_values[2]}"))
        assert all(run.annotations for code, run in runs.items() if code != "A9")
        box.answers = [500]  # one notice does not arrive at first
        await product.push(tree, repository)
        await product.idle()
        outputs = {
            **{f"check run {code}": json.dumps([run.output, run.annotations]) for code, run in runs.items()},
            **await pages_of(product, repository, runs, later_values[3]),
            **await everything_stored(product),
            "notices": "\n".join(body.decode() for _, body in box.came),
        }
    outputs["log"] = log.getvalue()
    assert "notice.sent" in outputs["log"] and len(box.came) > 1
    leaks = {
        f"{place}: {remains(value, text)[0]}…": text[max(text.index(remains(value, text)[0]) - 80, 0) :][:160]
        for place, text in outputs.items()
        for value in values
        if remains(value, text) and not set(value) <= set("0123456789abcdef")
    }
    assert not leaks, json.dumps(leaks, indent=1)
