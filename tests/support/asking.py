"""Requests to a simulated GitHub by hand, with every header chosen."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import jwt

from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import Account, App, Installation, Repository, SecondaryLimits, new_key
from tests.support.repositories import WorkTree

APP_ID = 7
PRIVATE, PUBLIC = new_key()
OTHER_PRIVATE, _ = new_key()
CALLBACK = "http://127.0.0.1:9/login/callback"
FULL = {
    "checks": "write",
    "contents": "write",
    "metadata": "read",
    "pull_requests": "write",
    "merge_queues": "read",
}
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
ANNOTATION = {"path": "a.py", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}


@dataclass
class Answer:
    """A status, the text of the body, the address that it leads to, and the simulator's rule."""

    status: int
    text: str
    location: str = ""
    rule: str = ""


@dataclass
class Place:
    """A simulated GitHub with one App, and requests to it by hand."""

    github: SimulatedGitHub
    session: aiohttp.ClientSession
    app: App
    owner: Account
    installation: Installation
    repository: Repository
    sha: str
    base: str
    user: Account

    def jwt(self, key: str = PRIVATE, algorithm: str = "RS256", **changes: object) -> str:
        now = int(time.time())
        claims = {"iat": now - 60, "exp": now + 480, "iss": str(APP_ID), **changes}
        return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm=algorithm)

    def token(self, **permissions: str) -> str:
        return self.github.world.mint(self.installation, {self.repository.id}, permissions or dict(FULL))[0]

    def user_token(self) -> str:
        return self.github.people._mint(self.user)[0]

    async def ask(
        self,
        path: str,
        credential: str | None = None,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        sent = {
            "User-Agent": "test",
            **({"Authorization": f"Bearer {credential}"} if credential else {}),
            **(headers or {}),
        }
        kept = {name: value for name, value in sent.items() if value != "-"}
        skipped = [name for name, value in sent.items() if value == "-"]
        address = path if path.startswith("http") else f"{self.github.api_url}{path}"
        async with self.session.request(
            method, address, json=body, data=data, headers=kept, allow_redirects=False, skip_auto_headers=skipped
        ) as answer:
            return Answer(
                answer.status,
                await answer.text(),
                answer.headers.get("Location", ""),
                answer.headers.get("X-Refused-By", ""),
            )

    async def run(self, method: str = "POST", tail: str = "", **changes: object) -> Answer:
        """Create a check run that holds every rule but what is changed; None leaves a field out."""
        plain = {"name": "n", "head_sha": self.sha, **changes} if method == "POST" else changes
        body = {name: value for name, value in plain.items() if value is not None}
        return await self.ask(f"{self.path}/check-runs{tail}", self.token(), method, body)

    async def annotated(self, **changes: object) -> Answer:
        return await self.run(output={"title": "t", "summary": "s", "annotations": [ANNOTATION | changes]})

    @property
    def path(self) -> str:
        return f"/repos/{self.repository.full_name}"

    async def oauth(self, **form: str) -> Answer:
        sent = {"client_id": self.app.client_id, "client_secret": self.app.client_secret, **form}
        return await self.form("/login/oauth/access_token", sent)

    async def form(self, path: str, form: Mapping[str, str], **headers: str) -> Answer:
        sent = {
            "User-Agent": "test",
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
            **headers,
        }
        return await self.ask(f"{self.github.address}{path}", None, "POST", None, sent, urlencode(form).encode())

    async def git(
        self,
        repository: str | None = None,
        password: str | None = None,
        service: str = "git-upload-pack",
        scheme: str = "Basic",
    ) -> Answer:
        basic = base64.b64encode(f"x-access-token:{password}".encode()).decode()
        headers = {} if password is None else {"Authorization": f"{scheme} {basic}"}
        address = f"{self.github.address}/{repository or self.repository.full_name}.git/info/refs?service={service}"
        return await self.ask(address, headers=headers)


@contextlib.asynccontextmanager
async def asking(folder: Path) -> AsyncIterator[Place]:
    """A simulated GitHub with one App, installed on one private repository with two branches."""
    async with SimulatedGitHub(folder / "github", secondary_limits=False) as github, aiohttp.ClientSession() as session:
        app = github.register_app(APP_ID, PUBLIC, "secret", "http://127.0.0.1:9/webhooks/github")
        app.permissions, app.callback_urls = dict(FULL), [CALLBACK]
        owner, user = github.world.add_account("acme"), github.people.add("mona")
        repository = await github.create_repository(owner, "shop", private=True)
        github.people.allow(user, repository, "admin")
        installation = github.install(owner, [repository])
        tree = WorkTree(folder / "tree")
        base = tree.commit({"a.py": ""})
        await asyncio.to_thread(tree.git, "push", "--quiet", github.clone_url(repository), "HEAD:refs/heads/main")
        sha = tree.commit({"b.py": ""})
        await asyncio.to_thread(tree.git, "push", "--quiet", github.clone_url(repository), "HEAD:refs/heads/topic")
        await github.webhooks.settle()
        yield Place(github, session, app, owner, installation, repository, sha, base, user)


def restore(place: Place) -> None:
    """Undo what a test changed."""
    world = place.github.world
    place.installation.suspended_at, place.installation.used = None, 0
    place.installation.writes = deque()
    place.repository.archived = False
    place.installation.repository_ids = {place.repository.id}
    place.app.permissions = dict(FULL)
    world.installations[place.installation.id] = place.installation
    world.token_lag_s, world.limits, world.skew_s, world.app = 0.0, SecondaryLimits(enforced=False), 0.0, place.app
