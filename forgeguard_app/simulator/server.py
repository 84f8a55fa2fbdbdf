"""The simulated GitHub as a server on loopback."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from forgeguard_app.simulator.app_pages import AppPages
from forgeguard_app.simulator.git_http import GitFace, git, make_folder
from forgeguard_app.simulator.people import People
from forgeguard_app.simulator.rest import RestFace
from forgeguard_app.simulator.rest_users import UserRoutes
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import Account, App, Installation, Repository, SecondaryLimits, Suite, World
from forgeguard_app.simulator.webhooks import Webhooks


class SimulatedGitHub:
    """`async with SimulatedGitHub(folder) as github:`; its `world` is its state."""

    def __init__(self, folder: Path, *, secondary_limits: bool = True, limits: SecondaryLimits | None = None) -> None:
        self.world = World(folder, limits or SecondaryLimits(enforced=secondary_limits))
        self.webhooks = Webhooks(self.world)
        self.address = ""
        self.shapes = Shapes(self.world, "")
        self.people = People(self.world)
        self.pages = AppPages(self.world, self.shapes, self.people, self.webhooks)
        self._runner: web.AppRunner | None = None

    @property
    def api_url(self) -> str:
        """Return the address of the REST API."""
        return f"{self.address}/api/v3"

    async def __aenter__(self) -> SimulatedGitHub:
        app = web.Application(client_max_size=64 << 20)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        git_face = GitFace(self.world, self.shapes, self.pushed, self.people)
        users = UserRoutes(self.world, self.shapes, self.people, self.pages)
        app.router.add_routes(RestFace(self.world, self.shapes, self.webhooks, users).routes())
        app.router.add_routes(self.pages.routes())
        app.router.add_post("/login/oauth/access_token", users.trade_code)
        app.router.add_route("*", r"/{owner}/{repo}.git/{tail:.*}", git_face.handle)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.address = f"http://127.0.0.1:{port}"
        self.shapes.address, self.shapes.api = self.address, self.api_url
        await self.webhooks.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.webhooks.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await asyncio.to_thread(shutil.rmtree, self.world.folder, ignore_errors=True)

    def register_app(self, app_id: int, public_key: str, webhook_secret: str, webhook_url: str) -> App:
        """Make the App known."""
        owner = self.world.add_account("forgeguard-makers")
        site = webhook_url.removesuffix("/webhooks/github")
        app = App(app_id, "forgeguard", [public_key], webhook_secret, webhook_url, owner)
        app.client_secret = f"client-secret-{app_id}"
        app.callback_urls, app.setup_url = [f"{site}/login/callback"], f"{site}/setup/installed"
        self.world.app = app
        return app

    async def create_repository(self, owner: Account, name: str, *, private: bool = False) -> Repository:
        """Return a new empty repository."""
        repository = self.world.add_repository(owner, name, private=private)
        await make_folder(repository)
        return repository

    def install(self, account: Account, repositories: list[Repository]) -> Installation:
        """Installs the App and says so."""
        installation = Installation(self.world.next_id(), account, {repository.id for repository in repositories})
        self.world.installations[installation.id] = installation
        self.webhooks.send("installation", self.installation_payload("created", installation))
        return installation

    def installation_payload(self, action: str, installation: Installation) -> dict[str, Any]:
        """Return the body of an installation event."""
        return self.shapes.installation_event(action, installation)

    def clone_url(self, repository: Repository, *, token: bool = True) -> str:
        """Return the address that the developer pushes to, with the developer's token in it."""
        host = self.address.removeprefix("http://")
        return f"http://{f'dev:{self.world.user_token}@' if token else ''}{host}/{repository.full_name}.git"

    async def head_of(self, repository: Repository, branch: str) -> str:
        """Return the commit that a branch points to."""
        return (await git(repository.folder, "rev-parse", f"refs/heads/{branch}")).decode().strip()

    async def pushed(self, repository: Repository, payload: dict[str, Any]) -> None:
        """Tell the App that a reference moved, and open a suite for it."""
        self.tell(repository, "push", payload)
        ref, sha = str(payload["ref"]), str(payload["after"])
        app = self.world.app
        if not ref.startswith("refs/heads/") or payload["deleted"] or app is None or "checks" not in app.permissions:
            return
        # GitHub opens a suite for every App that may write check runs, and tells that App of it:
        # https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-checks#about-check-suites
        known = self.world.suites.get((repository.id, sha))
        suite = known or Suite(self.world.next_id())
        suite.head_branch, suite.before, suite.opened = ref.removeprefix("refs/heads/"), payload["before"], True
        self.world.suites[repository.id, sha] = suite
        if known is None and self.world.installation_of(repository.id) is not None:
            self.tell(repository, "check_suite", self.shapes.suite_event(repository, sha, suite, "requested"))

    def tell(self, repository: Repository, event: str, payload: dict[str, Any]) -> None:
        """Delivers an event of a repository, unless the App is not there or suspended."""
        installation = self.world.installation_of(repository.id)
        if installation is not None and installation.suspended_at is None:
            full = {"repository": self.shapes.repository(repository), "sender": self.shapes.account(self.world.pusher)}
            self.webhooks.send(
                event, {**full, **payload, "installation": self.shapes.simple_installation(installation)}
            )
