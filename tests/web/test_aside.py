"""Strangers' texts that take long hold nobody up: they are worked on beside the event loop, and ended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.web.aside import Aside
from forgeguard_app.web.markdown import as_html
from tests.support.browsing import Browser
from tests.support.project_pages import make, written
from tests.support.running import running

NESTED = "[[]" * 66_000


async def test_what_takes_too_long_is_ended_once_and_the_loop_goes_on() -> None:
    aside = Aside(timeout_s=0.5)
    assert await asyncio.gather(*(aside.work("markdown", NESTED) for _ in range(4))) == [None] * 4
    begun = aside.begun
    assert await aside.work("markdown", NESTED) is None
    assert aside.begun == begun == 1, "shared, and not tried again"


async def test_the_work_is_the_same_beside_the_loop() -> None:
    aside = Aside(timeout_s=30)
    text = "# A\n\n| a | b |\n|---|---|\n| 1 | <b> |\n"
    assert await aside.work("markdown", text) == str(as_html(text))
    assert await aside.work("difference", "a\nb\n", "a\nc\n") == ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]
    found = await aside.work("problems", ContractType.BOUNDARIES.value, '{"layers": [')
    assert found[0][:2] == ["Forge/Contracts/boundaries.json", 1]
    assert await aside.work("problems", ContractType.UI.value, "# UI") == []
    assert aside.size > 0


async def test_work_that_fails_is_none() -> None:
    assert await Aside(timeout_s=30).work("nothing", "x") is None


@pytest.mark.nightly
async def test_pages_of_a_document_that_takes_long_are_answered(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product, Browser(product) as browser:
        project = await make(browser, product.github.people.add("mona"))
        await written(browser, project)
        path = f"{project}/contracts/ui"
        await browser.get(path)
        assert await browser.submit(path, content=NESTED) == 200
        assert "[[][[]" in browser.text, "its text is shown as it is"
        assert await browser.get(f"{path}/difference?from=1&to=2") == 200
