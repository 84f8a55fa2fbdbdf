"""Servers and workers as processes of their own over one PostgreSQL, and a GitHub with many installations."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.cli.running import start_child, stop_children
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import Installation, Repository, new_key
from forgeguard_app.store.embedded import embedded_postgres
from forgeguard_app.store.migrate import migrate

RULES = '{"layers": [{"name": "a", "glob": "pkg/**", "forbidden": [{"pattern": "SELECT", "reason": "r"}]}]}'
_ENV = {
    **os.environ,
    "GIT_AUTHOR_NAME": "b",
    "GIT_AUTHOR_EMAIL": "b@b.invalid",
    "GIT_COMMITTER_NAME": "b",
    "GIT_COMMITTER_EMAIL": "b@b.invalid",
}


def git(folder: Path, *arguments: str) -> str:
    """git's output in a folder."""
    done = subprocess.run(["git", *arguments], cwd=folder, env=_ENV, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@dataclass(frozen=True)
class Template:
    """A repository to copy: its first commit, and commits upon that one of a changed file each."""

    folder: Path
    start: str
    commits: tuple[str, ...]


def make_template(folder: Path, number: int, files: int = 100) -> Template:
    """A repository of so many files with so many commits, side by side upon the first."""
    work = folder / "template"
    for count in range(files):
        path = work / "pkg" / f"p{count % 10}" / f"m{count}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'"""Module {count}."""\nimport json\n\n\ndef work() -> str:\n    return json.dumps({count})\n' * 3
        )
    (work / "boundaries.json").write_text(RULES)
    (work / "pyproject.toml").write_text('[project]\nname = "b"\nversion = "1"\n')
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "start")
    start, commits = git(work, "rev-parse", "HEAD"), []
    for count in range(number):
        (work / "pkg" / "p0" / "m0.py").write_text(f"VALUE = {count}\n")
        git(work, "add", "--all")
        commits.append(git(work, "commit-tree", git(work, "write-tree"), "-p", start, "-m", f"change {count}"))
        git(work, "update-ref", f"refs/keep/{count}", commits[-1])
    bare = folder / "template.git"
    git(folder, "clone", "--quiet", "--mirror", str(work), str(bare))
    return Template(bare, start, tuple(commits))


def settle(github: SimulatedGitHub, template: Template, number: int) -> list[tuple[Repository, Installation]]:
    """So many accounts with a repository each, the App installed, nobody told."""
    made = []
    for count in range(number):
        owner = github.world.add_account(f"org{count}")
        repository = github.world.add_repository(owner, "r")
        repository.folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(template.folder, repository.folder)
        with (repository.folder / "config").open("a") as file:
            file.write("[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n[gc]\n\tauto = 0\n")
        installation = Installation(github.world.next_id(), owner, {repository.id})
        github.world.installations[installation.id] = installation
        made.append((repository, installation))
    return made


@dataclass
class Fleet:
    """What was started; `addresses` are the servers'."""

    secret: str
    env: dict[str, str]
    addresses: list[str] = field(default_factory=list)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    async def serve(self, number: int, log: Path) -> None:
        """Starts servers without workers and waits until they are ready."""
        for _ in range(number):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            self.addresses.append(f"http://127.0.0.1:{port}")
            self._start(["serve", "--workers", "0"], log, FORGEGUARD_PORT=str(port))
        async with aiohttp.ClientSession() as session:
            for address in self.addresses:
                await _ready(session, address)

    def work(self, number: int, log: Path) -> None:
        """Starts workers, each with a disk of its own."""
        for count in range(number):
            self._start(["worker"], log, FORGEGUARD_HOME=f"{self.env['FORGEGUARD_HOME']}-{count}")

    async def stop(self) -> None:
        """Ends all of them."""
        await stop_children(self.children)
        self.children.clear()
        self.addresses.clear()

    def _start(self, arguments: list[str], log: Path, **more: str) -> None:
        with log.open("ab") as out:
            self.children.append(start_child(arguments, self.env | more, out.fileno()))


async def _ready(session: aiohttp.ClientSession, address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"{address}/readyz") as answer:
                if answer.status == 200:
                    return
        await asyncio.sleep(0.05)
    raise RuntimeError("the server did not become ready")


@contextlib.asynccontextmanager
async def fleet(github: SimulatedGitHub, folder: Path) -> AsyncIterator[Fleet]:
    """A database, and the means to start processes over it."""
    private, public = new_key()
    secret = secrets.token_hex(20)
    github.register_app(1, public, secret, "http://127.0.0.1:9/webhooks/github")
    key = folder / "app.pem"
    key.write_text(private)
    async with embedded_postgres(folder / "database") as dsn:
        await migrate(dsn)
        env = {name: "" for name in os.environ if name.startswith("FORGEGUARD_")} | {
            "FORGEGUARD_DATABASE_URL": dsn,
            "FORGEGUARD_SECRET_KEY": "k" * 32,
            "FORGEGUARD_HOME": str(folder / "home"),
            "FORGEGUARD_APP_ID": "1",
            "FORGEGUARD_PRIVATE_KEY": str(key),
            "FORGEGUARD_WEBHOOK_SECRET": secret,
            "FORGEGUARD_GITHUB_URL": github.address,
            "FORGEGUARD_GITHUB_API_URL": github.api_url,
        }
        running = Fleet(secret, env)
        try:
            yield running
        finally:
            await running.stop()


def evaluated(github: SimulatedGitHub) -> int:
    """Heads that have three completed check runs."""
    done: dict[tuple[int, str], set[str]] = {}
    for run in github.world.check_runs.values():
        if run.status == "completed":
            done.setdefault((run.repository_id, run.head_sha), set()).add(run.name)
    return sum(len(names) == len(CheckCode) for names in done.values())


def doubled(github: SimulatedGitHub) -> int:
    """Check runs beyond one of each name on a head."""
    return len(github.world.check_runs) - len(
        {(r.repository_id, r.head_sha, r.name) for r in github.world.check_runs.values()}
    )


async def until_evaluated(github: SimulatedGitHub, number: int, most_s: float) -> float:
    """Seconds until so many heads are evaluated."""
    began = time.monotonic()
    while evaluated(github) < number:
        if time.monotonic() - began > most_s:
            raise RuntimeError(f"only {evaluated(github)} of {number} heads evaluated after {most_s:.0f} s")
        await asyncio.sleep(0.2)
    return time.monotonic() - began
