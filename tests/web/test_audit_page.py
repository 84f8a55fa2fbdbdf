"""The page of one audit: who sees it, and that a stranger's markup stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from forgeguard_app.flows.context.audit_links import sign_audit
from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.upkeep.enforce_quotas import enforce_quotas
from forgeguard_app.store.audits import AuditRun, find_run
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.repos import Repo, get_repo
from tests.support.browsing import Browser, plain
from tests.support.repositories import WorkTree
from tests.support.running import Product, running

EVIL = "<script>alert(1)</script>"


FILES = {"pyproject.toml": "[project]\nname='x'\nversion='1'\n", "a.py": "password_hint = 1\nimport yaml\n"}


async def status_of(product: Product, link: str) -> int:
    async with product.session.get(link, headers={"Accept": "text/html"}) as answer:
        return answer.status


@pytest.mark.nightly
async def test_a_link_to_a_private_audit_carries_no_signature_and_opens_it_for_signed_in_people_alone(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository(private=True)
    tree.commit(FILES)
    runs = await product.verdicts(repository, await product.push(tree, repository))
    link = str(runs["A9"].details_url)
    assert "?" not in link
    user, stranger = product.github.people.add("mona"), product.github.people.add("stranger")
    product.github.people.allow(user, repository, "read")
    async with product.pool.acquire() as connection:
        run, repo = await found_by(connection, link)
    # As older versions and servers without sign-in signed it: it opens nothing where people can sign in.
    old = [
        product.web_context.keys.links.sign(f"audit/{run.id}"),
        sign_audit(product.web_context.keys.links, run, repo),
    ]
    async with Browser(product) as browser:
        for signature in ("", *old):
            address = f"{link}?signature={signature}" if signature else link
            assert await browser.get(address) == 404
            assert "Sign in to see it" in browser.text
            sign_in = re.findall(r'href="(/login[^"]+)"', browser.text)
            assert sign_in
            assert all("signature" not in link for link in sign_in), "no signature travels on"
        await browser.sign_in(stranger, f"/audits/{run.id}")
        assert browser.status == 404
        browser.cookies.clear()
        await browser.sign_in(user, f"/audits/{run.id}")
        assert browser.status == 200, "signing in leads back"
        assert "password_hint" in browser.text


async def found_by(connection: Connection, link: str) -> tuple[AuditRun, Repo]:
    run = await find_run(connection, UUID(link.rpartition("/")[2].partition("?")[0]))
    assert run is not None
    return run, await get_repo(connection, run.repo_id)


@pytest.mark.nightly
async def test_where_nobody_can_sign_in_a_signed_link_opens_a_private_audit_without_its_source(
    dsn: str, tmp_path: Path, tree: WorkTree
) -> None:
    async with running(dsn, tmp_path / "product", can_sign_in=False) as product:
        repository, _ = await product.repository(private=True)
        tree.commit({**FILES, f"{EVIL.replace('/', '')}.py": "import yaml\n"}, EVIL)
        runs = await product.verdicts(repository, await product.push(tree, repository))
        link = str(runs["A9"].details_url)
        async with product.session.get(link) as answer:
            text = await answer.text()
            assert answer.status == 200
            assert EVIL not in text
            assert "a.py:2" in plain(text)
            assert "password_hint" not in text
            assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        for wrong in (
            link[:-1],
            link.partition("?")[0],
            link.replace("signature=", "signature=%C3%A4"),
            link.replace("signature=1", "signature=2"),
        ):
            assert await status_of(product, wrong) == 404
        async with product.pool.acquire() as connection:
            await connection.execute("UPDATE audit_runs SET created_at = created_at - interval '31 days'")
            run, repo = await found_by(connection, link)
        late = f"{product.address}/audits/{run.id}?signature={sign_audit(product.web_context.keys.links, run, repo)}"
        assert await status_of(product, late) == 404, "30 days are over"


@pytest.mark.nightly
@pytest.mark.parametrize("is_delivered", [True, False])
async def test_a_signed_link_ends_at_once_when_its_repository_becomes_private_and_stays_dead(
    dsn: str, tmp_path: Path, tree: WorkTree, is_delivered: bool
) -> None:
    async with running(dsn, tmp_path / "product", can_sign_in=False) as product:
        repository, _ = await product.repository()
        tree.commit(FILES)
        runs = await product.verdicts(repository, await product.push(tree, repository))
        link = str(runs["A9"].details_url)
        assert await status_of(product, link) == 200
        repository.private = True
        body = {"action": "privatized", "repository": product.github.shapes.repository(repository)}
        if is_delivered:
            account = product.github.shapes.account(repository.owner)
            product.github.webhooks.send("repository", body | {"sender": account})
            await product.idle()
        product.web_context.visibility.every_s = 0.0  # GitHub was asked half a minute ago
        assert await status_of(product, link) == 404
        # What is published from then on has a link that opens.
        tree.commit({"b.py": "y = 1\n"})
        runs = await product.verdicts(repository, await product.push(tree, repository))
        assert await status_of(product, str(runs["A9"].details_url)) == 200
        assert await status_of(product, link) == 404


async def test_a_public_audit_opens_for_everybody(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit({"a.py": "x = 1"})
    runs = await product.verdicts(repository, await product.push(tree, repository))
    async with product.session.get(str(runs["A4"].details_url).partition("?")[0]) as answer:
        assert answer.status == 200


async def test_a_new_finding_shows_the_lines_around_it(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit(
        {"pyproject.toml": "[project]\nname='x'\nversion='1'\n", "a.py": f"x = 1\n\timport yaml  # {EVIL}\ny = 2\n"}
    )
    runs = await product.verdicts(repository, await product.push(tree, repository))
    async with product.session.get(str(runs["A9"].details_url)) as answer:
        text = await answer.text()
    assert "<mark>    2  \timport yaml  # &lt;script&gt;" in text
    assert "    1  x = 1" in text
    async with product.pool.acquire() as connection:
        assert await connection.fetchval("SELECT max(excerpt_bytes) FROM audit_runs") > 30
    await enforce_quotas(product.pool, replace(QUOTAS, excerpts_of_repository=0))
    async with product.session.get(str(runs["A9"].details_url)) as answer:
        text = await answer.text()
    assert "x = 1" not in text
    assert "The lines around the findings are not kept any more" in text


@pytest.mark.nightly
async def test_a_huge_audit_is_read_page_by_page(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    rules = '{"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}'
    tree.commit({"boundaries.json": rules})
    await product.verdicts(repository, await product.push(tree, repository))
    tree.commit({"a.py": "bad\n" * 650})
    runs = await product.verdicts(repository, await product.push(tree, repository))
    link, numbers = str(runs["A4"].details_url), []
    async with Browser(product) as browser:
        await browser.get(link)
        assert "Findings 1 to 300" in browser.text
        for _ in range(3):
            numbers += re.findall(r">a\.py:(\d+)</a>", plain(browser.text))
            following = re.search(r'href="([^"]+)">The next ones', browser.text)
            if following:
                await browser.get(following[1].replace("&amp;", "&"))
        assert following is None
        assert [int(number) for number in numbers] == list(range(1, 651)), "each once, in order"
        for wrong in ("?check=A4&page=0", "?check=A4&page=99999999", "?check=X&page=2", "?check=A4&page=900"):
            assert await browser.get(link.partition("?")[0] + wrong) == 200
