"""The configuration as understood, a change tried before it is committed, and the first rules proposed."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qs, urlsplit

import pytest

from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.proposals import run_trial
from forgeguard_app.flows.proposals.request_trial import MAX_AN_HOUR
from forgeguard_app.flows.upkeep.end_left_trials import end_left_trials
from forgeguard_app.flows.upkeep.enforce_quotas import enforce_quotas
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.state import Account, Repository
from tests.support.browsing import Browser, plain
from tests.support.repositories import Files, WorkTree
from tests.support.running import Product
from tests.support.stored_jobs import has_failed_for_good

RULES = (
    '{"layers": [{"name": "api", "glob": "app/api/**", "forbidden_imports": [{"module": "asyncpg", "reason": '
    '"<b>no</b>"}]}, {"name": "db", "glob": "app/db/**"}]}'
)
FILES: Files = {
    ".github/forgeguard.yml": "gate: all\nignore: ['vendor/**']\nchecks: {A9: {provides: {PIL: pillow}}}\n",
    "boundaries.json": RULES,
    "pyproject.toml": '[project]\nname = "x"\nversion = "1"\ndependencies = ["asyncpg"]\n',
    "app/api/a.py": "import app.db.b\n",
    "app/db/b.py": "import asyncpg\n",
}
LOOSE: Files = {
    "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n',
    "app/one.py": "import app.two\n",
    "app/two.py": "x = 1\n",
    "app/three.py": "import app.one\nimport nowhere_declared\n",
}


async def guarded(product: Product, tree: WorkTree, files: Files) -> tuple[Repository, Account]:
    repository, _ = await product.repository(private=True)
    tree.commit(files)
    await product.verdicts(repository, await product.push(tree, repository))
    await product.idle()
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "write")
    return repository, user


async def trial(product: Product, browser: Browser, form: str, **fields: str) -> str:
    """Sends the form and gives the trial's page once it is done."""
    await browser.submit(form, **fields)
    address = browser.address
    async with asyncio.timeout(30):
        while "Running" in browser.text:
            await asyncio.sleep(0.05)
            await browser.get(address)
    return browser.text


async def test_the_page_says_how_the_files_were_understood(product: Product, tree: WorkTree) -> None:
    repository, user = await guarded(product, tree, FILES)
    async with Browser(product) as browser:
        path = f"/repos/{repository.full_name}/configuration"
        await browser.sign_in(user, path)
        for sentence in (
            "anything in the tree",
            "vendor/**",
            "<code>PIL</code> comes from <code>pillow</code>",
            "&lt;b&gt;no&lt;/b&gt;",
        ):
            assert sentence in plain(browser.text)
        assert "app/db/**&#34;}" in browser.text, "the file as it is is there to be changed"
        await browser.get(f"{path}?file=.github/forgeguard.yml")
        assert "gate: all\nignore" in browser.text
        tree.commit({"boundaries.json": "{"})
        await product.verdicts(repository, await product.push(tree, repository))
        await browser.get(path)
        assert "boundaries.json:1:2" in plain(browser.text)


async def test_a_changed_file_is_tried_against_the_whole_tree_and_written_nowhere(
    product: Product, tree: WorkTree
) -> None:
    repository, user = await guarded(product, tree, FILES)
    heads = await git(repository.folder, "for-each-ref")
    path = f"/repos/{repository.full_name}/configuration"
    async with Browser(product) as browser:
        await browser.sign_in(user, path)
        stricter = RULES.replace('"app/db/**"', '"app/db/**", "forbidden": [{"pattern": "import", "reason": "r"}]')
        text = await trial(product, browser, f"{path}/try", path="boundaries.json", content=stricter)
        assert "Would be found: 1" in text
        assert "app/db/b.py:1" in plain(text)
        text = await trial(product, browser, f"{path}/try", path="boundaries.json", content='{"layers": [{}]}')
        assert "boundaries.json:1:13" in plain(text)
        assert "broken" in text
        off = "checks: {A4: {enabled: false}}"
        text = await trial(product, browser, f"{path}/try", path=".github/forgeguard.yml", content=off)
        assert "Disabled by .github/forgeguard.yml" in text
        assert await git(repository.folder, "for-each-ref") == heads
        former = browser.address
        await browser.get(path)
        await browser.submit(f"{path}/try", path="app/db/b.py", content="\nkept <text>")
        assert browser.status == 400, "no other file can be laid over the tree"
        assert "\n\nkept &lt;text&gt;</textarea>" in browser.text
        assert "Configuration as ForgeGuard understands it" in browser.text
        await browser.submit(f"{path}/try", path=".github/forgeguard.yml", content="x" * 150_001)
        assert browser.status == 400
        assert "<option selected>.github/forgeguard.yml" in browser.text
        assert 'aria-describedby="content-wrong"' in browser.text
        assert "x" * 150_001 in browser.text
        async with product.pool.acquire() as connection:
            await connection.execute(
                "INSERT INTO trials (repo_id, user_id, kind) SELECT r.id, u.id, 'configuration' FROM repos "
                "r, users u, generate_series(1, $1)",
                MAX_AN_HOUR,
            )
        browser.address = former
        await browser.get(former)
        await browser.submit(f"{path}/try", path="boundaries.json", content="{}")
        assert browser.status == 400
        assert "within an hour" in browser.text
        assert "Today and with the change" in browser.text, "on the page of the trial from which it was sent"


@pytest.mark.nightly
async def test_a_trial_that_nobody_can_do_says_so_once_its_job_has_failed_for_good(
    product: Product, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def broken(*_: object) -> None:
        await begun.wait()
        raise ArithmeticError("a fault of ours")

    monkeypatch.setattr(run_trial, "propose_first", broken)
    repository, user = await guarded(product, tree, LOOSE)
    async with Browser(product) as browser, product.without_chores():
        path = f"/repos/{repository.full_name}/configuration"
        await browser.sign_in(user, path)
        await browser.submit(f"{path}/propose")
        await end_left_trials(product.context, 0)
        await browser.get(browser.address)
        assert "Running" in browser.text, "its job is there"
        begun.set()
        await product.until(partial(has_failed_for_good, task="try_configuration"), True)
        await end_left_trials(product.context, 0)
        await browser.get(browser.address)
        assert "Running" not in browser.text
        assert "ForgeGuard failed at it" in browser.text


async def test_a_trial_is_found_in_its_own_repository_alone(product: Product, tree: WorkTree) -> None:
    repository, user = await guarded(product, tree, FILES)
    other, _ = await product.repository()
    product.github.people.allow(user, other, "admin")
    path = f"/repos/{repository.full_name}/configuration"
    async with Browser(product) as browser:
        await browser.sign_in(user, path)
        await trial(product, browser, f"{path}/try", path="boundaries.json", content="{}")
        name = urlsplit(browser.address).path.rpartition("/")[2]
        assert await browser.get(f"/repos/{repository.full_name}/trials/{name}") == 200
        assert await browser.get(f"/repos/{other.full_name}/trials/{name}") == 404


@pytest.mark.nightly
async def test_first_rules_are_a_link_to_githubs_page_for_a_new_file(product: Product, tree: WorkTree) -> None:
    repository, user = await guarded(product, tree, LOOSE)
    path = f"/repos/{repository.full_name}/configuration"
    async with Browser(product) as browser:
        await browser.sign_in(user, path)
        text = await trial(product, browser, f"{path}/propose")
        links = [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+/new/main\?[^"]+)"', text)]
        named = {
            parse_qs(urlsplit(link).query)["filename"][0]: parse_qs(urlsplit(link).query)["value"][0] for link in links
        }
        assert set(named) == {"boundaries.json", ".github/forgeguard.yml"}
        assert '"order"' in named["boundaries.json"]
        assert "nowhere_declared" in named[".github/forgeguard.yml"]
    # What it proposes is true of the tree: with it the head passes.
    tree.commit(dict(named))
    runs = await product.verdicts(repository, await product.push(tree, repository))
    assert {run.conclusion for run in runs.values()} == {"success"}


@pytest.mark.nightly
async def test_first_rules_become_a_pull_request_where_we_may_open_one(product: Product, tree: WorkTree) -> None:
    app = product.github.world.app
    assert app is not None
    app.permissions |= {"contents": "write", "pull_requests": "write"}
    repository, user = await guarded(product, tree, LOOSE)
    path = f"/repos/{repository.full_name}/configuration"
    async with Browser(product) as browser:
        await browser.sign_in(user, path)
        text = await trial(product, browser, f"{path}/propose")
        assert "See the pull request" in text
        browser.home()
        await browser.get(path)
        await trial(product, browser, f"{path}/propose")  # asked twice, opened once
    pulls = [pull for pull in product.github.world.pulls.values() if pull.repository_id == repository.id]
    assert [pull.title for pull in pulls] == ["Add ForgeGuard's first rules"]
    names = await git(repository.folder, "diff", "--name-only", "main", f"refs/heads/{pulls[0].head_ref}")
    assert names.decode().split() == [".github/forgeguard.yml", "boundaries.json"]


async def test_the_page_of_a_trial_that_is_not_kept_any_more_says_so(product: Product, tree: WorkTree) -> None:
    repository, user = await guarded(product, tree, LOOSE)
    path = f"/repos/{repository.full_name}/configuration"
    async with Browser(product) as browser:
        await browser.sign_in(user, path)
        addresses = []
        for form, fields in ((f"{path}/propose", {}), (f"{path}/try", {"path": "boundaries.json", "content": RULES})):
            await browser.get(path)
            await trial(product, browser, form, **fields)
            addresses.append(browser.address)
        await enforce_quotas(product.pool, replace(QUOTAS, trials_of_person=0))
        for address in addresses:
            assert await browser.get(address) == 200
            assert "What this trial showed is not kept any more" in browser.text
            assert "Change it and try again" not in browser.text
