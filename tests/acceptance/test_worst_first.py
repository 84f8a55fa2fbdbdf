"""Findings leave worst first: a verified secret is never hidden behind lesser ones."""

from __future__ import annotations

import random
import string
import zlib

from forgeguard_app.audit.kept_findings import MAX_FINDINGS
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.secrets.checksums import base62
from forgeguard_app.cli.formats import FORMATS
from forgeguard_app.cli.outcome import CommandOutcome
from forgeguard_app.github.check_runs import MAX_ANNOTATIONS
from tests.support.evaluated import check_of, evaluate_all
from tests.support.repositories import WorkTree
from tests.support.running import Product

RULE = "github-personal-token"


def token() -> str:
    body = "".join(random.Random(5).choices(string.ascii_letters + string.digits, k=30))
    return "ghp" + "_" + body + base62(zlib.crc32(body.encode()), 6)


def passwords(number: int) -> str:
    letters = random.Random(3)
    values = ("".join(letters.choices(string.ascii_letters + string.digits, k=20)) for _ in range(number))
    return "".join(f"password_{n} = '{value}'\n" for n, value in enumerate(values))


async def test_a_verified_token_behind_300_passwords_is_annotated_first_and_shown_on_the_first_page(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    tree.commit({"a.py": passwords(MAX_ANNOTATIONS + 60), "z.py": f"T = '{token()}'\n"})
    runs = await product.verdicts(repository, await product.push(tree, repository))
    annotations = runs["W1"].annotations
    assert (annotations[0]["path"], annotations[0]["title"], len(annotations)) == (
        "z.py",
        f"W1 {RULE}",
        MAX_ANNOTATIONS,
    )
    async with product.session.get(str(runs["W1"].details_url)) as answer:
        page = await answer.text()
    assert 0 < page.index('/z.py#L1"') < page.index('/a.py#L1"')
    async with product.pool.acquire() as connection:
        rows = await connection.fetch("SELECT path FROM findings WHERE is_verified")
    assert [row["path"] for row in rows] == ["z.py"]


async def test_a_verified_token_behind_more_findings_than_are_kept_is_kept_and_comes_first(tree: WorkTree) -> None:
    report = await evaluate_all(tree, {"a.py": passwords(MAX_FINDINGS * 3 // 2), "z.py": f"T = '{token()}'\n"})
    check = check_of(report, CheckCode.W1)
    assert (check.findings[0].path, check.findings[0].verified) == ("z.py", True)
    assert len(check.findings) == MAX_FINDINGS
    assert any(f"the worst {MAX_FINDINGS:,} are kept" in note for note in check.notes)
    for name, form in FORMATS.items():
        printed = form(CommandOutcome(report))
        assert 0 < printed.index("z.py") < printed.index("a.py"), name
