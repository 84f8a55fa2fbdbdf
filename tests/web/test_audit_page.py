"""The page of one audit: who sees it, and that a stranger's markup stays text."""

from __future__ import annotations

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
