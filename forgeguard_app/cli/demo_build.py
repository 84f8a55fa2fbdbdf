"""`forgeguard demo --build`: a project from its questionnaire to a pull request, with a builder that errs once and
fixes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table
from rich.text import Text
from yarl import URL

from forgeguard_app.audit.check_kinds import name_codes
from forgeguard_app.errors import UserError
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import Repository

TIMEOUT_S = 300.0
PERMISSIONS = {"contents": "write", "pull_requests": "write", "workflows": "write"}
_STYLES = {"warn": "yellow", "error": "red", "debug": "dim"}
# A coding agent in twenty lines: it reads its prompt, works, and at first reaches across a boundary.
AGENT = r"""#!/bin/sh
prompt=$(cat)
echo "$prompt" | grep -m1 '^# Phase'
if grep -q '"number": 0' "$FORGEGUARD_PHASE"; then
  mkdir -p shop/cli shop/core Forge/Contracts
  cp "$FORGEGUARD_CONTRACTS"/* Forge/Contracts/
  printf '[project]\nname = "shop"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n' > pyproject.toml
  touch shop/__init__.py shop/cli/__init__.py shop/core/__init__.py
  echo '{"message": "The skeleton stands.", "level": "info"}'
elif [ ! -e shop/core/orders.py ]; then
  echo 'Writing orders, in a hurry.'
  printf 'from shop.cli import main\n\n\ndef total(prices: list[int]) -> int:\n' > shop/core/orders.py
  printf '    return sum(prices) + main.DISCOUNT\n' >> shop/core/orders.py
  printf 'DISCOUNT = -5\n' > shop/cli/main.py
else
  echo 'The audit is right: the core knows no command line. Fixing it.'
  printf 'def total(prices: list[int], discount: int = 0) -> int:\n    return sum(prices) - discount\n' \
    > shop/core/orders.py
  printf 'from shop.core.orders import total\n\nprint(total([20, 5], discount=5))\n' > shop/cli/main.py
  echo '{"message": "The orders hold what later phases ask for.", "nothing_needed": true}'
fi
"""
_LAYERS = [
    {"name": "cli", "glob": "shop/cli/**", "may_import": "core", "forbidden_imports": "", "reason": ""},
    {
        "name": "core",
        "glob": "shop/core/**",
        "may_import": "-",
        "forbidden_imports": "argparse",
        "reason": "the core is used without a command line",
    },
]
_PHASES = [
    {
        "name": "Genesis",
        "objective": "A skeleton that can be imported",
        "deliverables": "The contracts, the manifest and both packages",
        "exit_criteria": f"{name_codes()} pass",
    },
    {
        "name": "Orders",
        "objective": "The total of an order can be computed and printed",
        "deliverables": "shop/core/orders.py\nshop/cli/main.py",
        "exit_criteria": "The core imports nothing of the command line",
    },
]
ANSWERS: dict[str, Any] = {
    "intent.summary": "It adds up the orders of a small shop.",
    "intent.users": ["Shop keepers"],
    "intent.outcomes": ["Know what an order costs"],
    "stack.kind": "python-library",
    "stack.language": "Python 3.11 or later",
    "stack.database": "none",
    "boundaries.layers": _LAYERS,
    "boundaries.exhaustive": "yes",
    "phases.phases": _PHASES,
}


def write_agent(folder: Path) -> str:
    """Return the command of the demo's builder."""
    path = folder / "agent.sh"
    path.write_text(AGENT)
    path.chmod(0o755)
    return f"/bin/sh {path}"


class Visitor:
    """Somebody with a browser, as far as signing in and making a token needs one; then a script with that token."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session, self._server = session, server
        self._token = ""

    async def sign_in(self, login: str) -> None:
        """Through the simulated GitHub's own pages."""
        url, text = await self._get(f"{self._server}/login?return_to=/account")
        for action, fields in (("/session", {"login": login}), ("/login/oauth/authorize", {"answer": "yes"})):
            if f'action="{action}"' in text:
                url, text = await self._submit(url, text, action, fields)
        wanted = {"name": "demo", "scope": "write", "days": "30"}
        _, text = await self._submit(url, text, "/account/tokens", wanted)
        found = re.search(r"fgp_[\w-]+", text)
        if found is None:
            raise UserError("the demo could not sign in at the simulated GitHub")
        self._token = found[0]

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Return the API's answer.

        Raises:
            UserError: it refused.
        """
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.request(method, f"{self._server}/api/v1{path}", json=body, headers=headers) as answer:
            given = await answer.json(content_type=None)
            if answer.status >= 400:
                raise UserError(f"{method} {path}: {given.get('detail')}")
            return given

    async def watch(self, build_id: str, console: Console) -> None:
        """Print the build's log as it comes, to its end."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"}
        timeout = aiohttp.ClientTimeout(TIMEOUT_S)
        async with self._session.get(
            f"{self._server}/api/v1/builds/{build_id}/logs", headers=headers, timeout=timeout
        ) as answer:
            async for raw in answer.content:
                if raw.startswith(b"data: {"):
                    line = json.loads(raw[6:])
                    console.print(
                        Text(f"{line['source']:8}", style="dim"),
                        Text(line["message"], style=_STYLES.get(line["level"], "")),
                    )

    async def _get(self, url: str) -> tuple[URL, str]:
        async with self._session.get(url) as answer:
            return answer.url, await answer.text()

    async def _submit(self, url: URL, text: str, action: str, fields: Mapping[str, str]) -> tuple[URL, str]:
        form = next(
            candidate
            for candidate in re.findall(r"<form.*?</form>", text, re.S)
            if f'action="{action}"' in unescape(candidate)
        )
        hidden = {
            name: unescape(value)
            for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        }
        headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        async with self._session.post(url.join(URL(action)), data={**hidden, **fields}, headers=headers) as answer:
            return answer.url, await answer.text()


async def play_build(github: SimulatedGitHub, repository: Repository, server: str, console: Console) -> bool:
    """Show a build from its project on, and return whether it came to its pull request."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        visitor = Visitor(session, server)
        await visitor.sign_in(github.world.pusher.login)
        repos = await visitor.ask("GET", "/repos")
        repo_id = next(repo["id"] for repo in repos["items"] if repo["full_name"] == repository.full_name)
        project = await visitor.ask("POST", "/projects", {"name": "Shop", "repo_id": repo_id})
        path = f"/projects/{project['id']}"
        await visitor.ask("PUT", f"{path}/questionnaire", {"answers": ANSWERS})
        written = await visitor.ask("POST", f"{path}/contracts", {})
        console.rule(Text(f"Ten contracts: {', '.join(written['written'])}", style="bold"), align="left")
        build = await visitor.ask("POST", f"{path}/builds")
        await visitor.watch(build["id"], console)
        ended = await visitor.ask("GET", f"/builds/{build['id']}")
        console.print(_table(ended))
        console.print(f"[dim]Its page: {server}/builds/{build['id']}[/dim]", soft_wrap=True)
        return bool(ended["status"] == "completed" and ended["pull_url"])


def _table(build: Mapping[str, Any]) -> Table:
    table = Table(
        "Phase",
        "Returned",
        "Audit",
        "Commit",
        title=f"Build {build['status']}: {build['pull_url'] or build['error_detail']}",
        title_justify="left",
    )
    for phase in build["phases"]:
        audit = ", ".join(f"{code} {outcome['result']}" for code, outcome in (phase["audit"] or {}).items())
        table.add_row(phase["name"], str(phase["loops"]), audit, (phase["commit_sha"] or "")[:10])
    return table
