"""The page of one audit: who sees it, and that a stranger's markup stays text."""

from __future__ import annotations

import re

from tests.support.browsing import Browser
from tests.support.repositories import WorkTree
from tests.support.running import Product

EVIL = "<script>alert(1)</script>"


async def test_a_private_audit_opens_with_its_signed_link_alone(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository(private=True)
    tree.commit(
        {"pyproject.toml": "[project]\nname='x'\nversion='1'\n", f"{EVIL.replace('/', '')}.py": "import yaml\n"}, EVIL
    )
    runs = await product.verdicts(repository, await product.push(tree, repository))
    link = str(runs["A9"].details_url)
    async with product.session.get(link) as answer:
        text = await answer.text()
        assert answer.status == 200
        assert EVIL not in text
        assert "&lt;script&gt;" in text
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for wrong in (link[:-1], link.partition("?")[0], link.replace("signature=", "signature=%C3%A4")):
        async with product.session.get(wrong) as answer:
            assert answer.status == 404


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


async def test_a_signed_link_that_is_passed_on_opens_no_source_of_a_private_repository(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository(private=True)
    tree.commit({"pyproject.toml": "[project]\nname='x'\nversion='1'\n", "a.py": "password_hint = 1\nimport yaml\n"})
    runs = await product.verdicts(repository, await product.push(tree, repository))
    link = str(runs["A9"].details_url)
    async with product.session.get(link) as answer:
        text = await answer.text()
    assert "a.py:2" in text
    assert "password_hint" not in text
    user = product.github.people.add("mona")
    product.github.people.allow(user, repository, "read")
    async with Browser(product) as browser:
        await browser.sign_in(user)
        await browser.get(link)
        assert "password_hint" in browser.text


async def test_a_huge_audit_is_read_page_by_page(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    rules = '{"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}'
    tree.commit({"boundaries.json": rules})
    await product.verdicts(repository, await product.push(tree, repository))
    tree.commit({"a.py": "bad\n" * 650})
    runs = await product.verdicts(repository, await product.push(tree, repository))
    link, seen = str(runs["A4"].details_url), []
    async with Browser(product) as browser:
        await browser.get(link)
        assert "Findings 1 to 300" in browser.text
        for _ in range(3):
            seen += re.findall(r">a\.py:(\d+)</a>", browser.text)
            following = re.search(r'href="([^"]+)">The next ones', browser.text)
            if following:
                await browser.get(following[1].replace("&amp;", "&"))
        assert following is None
        assert [int(number) for number in seen] == list(range(1, 651)), "each once, in order"
        for wrong in ("?check=A4&page=0", "?check=A4&page=99999999", "?check=X&page=2", "?check=A4&page=900"):
            assert await browser.get(link.partition("?")[0] + wrong) == 200
