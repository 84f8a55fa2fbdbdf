"""Steps on a project's pages."""

from __future__ import annotations

import re
from html import unescape

from forgeguard_app.projects.questions import SECTIONS
from forgeguard_app.simulator.state import Account
from tests.support.browsing import Browser


async def make(browser: Browser, user: Account, name: str = "Shop", repository: str = "") -> str:
    """A project on its page, by a person who is signed in from here on; gives its address."""
    await browser.sign_in(user, "/projects")
    await browser.submit("/projects", name=name, description="Keeps orders", repository=repository)
    assert browser.status == 200, browser.text
    return str(re.findall(r"/projects/[0-9a-f-]{36}", browser.address)[0])


EVIL = "<script>alert(1)</script>"


def as_shown(text: str) -> dict[str, str]:
    """The open page's questionnaire as a browser would send it."""
    form = text[text.index('<form id="answers"') :]
    form = form[: form.index("</form>")]
    fields = dict(re.findall(r'<input name="([^"]+)" value="([^"]*)"', form))
    fields |= dict(re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S))
    fields |= dict(re.findall(r'<textarea name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.S))
    for name, options in re.findall(r'<select[^>]* ?name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r"<option selected>([^<]*)<", options)
        fields[name] = chosen[1] if chosen else ""
    return {name: unescape(value) for name, value in fields.items()}


async def answer(browser: Browser, project: str, **more: str) -> None:
    """Every section, its proposals taken as they are."""
    given = {
        "intent": {"summary": f"It keeps orders. {EVIL}", "users": "Shop keepers", "outcomes": "See what to ship"},
        "stack": {"kind": "python-aiohttp", "database": "postgresql"},
        "data": {
            "tables.0.table": "orders",
            "tables.0.column": "total",
            "tables.0.type": "numeric",
            "tables.0.rule": "required",
        },
        "ui": {"kind": "server-rendered pages"},
    }
    for section in SECTIONS:
        path = f"{project}/questionnaire/{section.key}"
        browser.home()
        await browser.get(path)
        await browser.submit(path, **(as_shown(browser.text) | given.get(section.key, {}) | more))
        assert browser.status == 200, browser.text


async def written(browser: Browser, project: str) -> None:
    """With its contracts."""
    await answer(browser, project)
    await browser.get(project)
    await browser.submit(f"{project}/contracts")
    assert browser.status == 200, browser.text
