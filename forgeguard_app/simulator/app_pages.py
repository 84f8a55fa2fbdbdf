"""GitHub's own pages that people walk through: signing in, authorizing, making an App of a manifest, installing it."""

from __future__ import annotations

import json
import secrets
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from aiohttp import web

from forgeguard_app.simulator.manifest import MAX_NAME_CHARS, problems_of
from forgeguard_app.simulator.people import People
from forgeguard_app.simulator.rules import Denied, RefusalRule
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import Account, App, Installation, World, new_key
from forgeguard_app.simulator.webhooks import Webhooks

MANIFEST_CODE_LIFE_S = 3_600
COOKIE = "simulated_github"


class AppPages:
    """Handlers of the pages; what was made of a manifest waits in `codes`."""

    def __init__(self, world: World, shapes: Shapes, people: People, webhooks: Webhooks) -> None:
        self.world, self.shapes, self.people, self.webhooks = world, shapes, people, webhooks
        self.codes: dict[str, tuple[App, str]] = {}
        self.codes_made_at: dict[str, float] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return every page."""
        return [
            web.get("/login", self.show_login),
            web.post("/session", self.sign_in),
            web.get("/login/oauth/authorize", self.show_authorize),
            web.post("/login/oauth/authorize", self.authorize),
            web.post("/settings/apps/new", self.show_new_app),
            web.post("/organizations/{org}/settings/apps/new", self.show_new_app),
            web.post("/settings/apps", self.create_app),
            web.get("/apps/{slug}/installations/new", self.show_install),
            web.post("/apps/{slug}/installations", self.install),
        ]

    def convert(self, code: str) -> tuple[App, str]:
        """Return the App that was made for a code, and its private key; the code holds once.

        Raises:
            Denied: the code does not hold.
        """
        made = self.codes.pop(code, None)
        if made is None:
            raise Denied(RefusalRule.USED_CODE if code in self.codes_made_at else RefusalRule.UNKNOWN_CODE)
        if self.world.now() - self.codes_made_at.get(code, self.world.now()) > MANIFEST_CODE_LIFE_S:
            raise Denied(RefusalRule.OLD_CODE)
        return made

    def _user(self, request: web.Request) -> Account:
        user = self.people.browsers.get(request.cookies.get(COOKIE, ""))
        if user is None:
            raise web.HTTPFound("/login?" + urlencode({"return_to": request.path_qs}))
        return user

    async def show_login(self, request: web.Request) -> web.Response:
        back = escape(request.query.get("return_to", "/"), quote=True)
        buttons = "".join(
            f'<p><button name="login" value="{escape(user.login, quote=True)}">Sign in as '
            f"{escape(user.login)}</button></p>"
            for user in self.people.users()
        )
        form = (
            f'<form method="post" action="/session"><input type="hidden" name="return_to" '
            f'value="{back}">{buttons}</form>'
        )
        return _page("Sign in to the simulated GitHub", form)

    async def sign_in(self, request: web.Request) -> web.Response:
        form = await _form(request)
        user = next((account for account in self.people.users() if account.login == form.get("login")), None)
        if user is None:
            raise web.HTTPNotFound
        back = form.get("return_to", "/")
        response = web.HTTPFound(back if back.startswith("/") and not back.startswith("//") else "/")
        response.set_cookie(COOKIE, self.people.sign_in(user), httponly=True, samesite="Lax")
        raise response

    async def show_authorize(self, request: web.Request) -> web.Response:
        app, asked = self._app(), request.query
        if asked.get("client_id") != app.client_id:
            return _page(
                "Not found", f"<p>{RefusalRule.UNKNOWN_CLIENT.message}</p>", status=RefusalRule.UNKNOWN_CLIENT.status
            )
        back = asked.get("redirect_uri") or (app.callback_urls[0] if app.callback_urls else "")
        if not any(_below(back, url) for url in app.callback_urls):
            callback = app.callback_urls[0] if app.callback_urls else "/"
            raise web.HTTPFound(
                _with(callback, error=RefusalRule.FOREIGN_REDIRECT.message, state=asked.get("state", ""))
            )
        if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
            raise web.HTTPFound(_with(back, error=RefusalRule.PLAIN_CHALLENGE.message, state=asked.get("state", "")))
        user = self._user(request)
        if user.id in self.people.granted:
            raise web.HTTPFound(self._granted(user, back, asked.get("code_challenge"), asked.get("state", "")))
        hidden = _hidden(
            redirect_uri=back, state=asked.get("state", ""), code_challenge=asked.get("code_challenge", "")
        )
        buttons = (
            '<button name="answer" value="yes">Authorize</button> <button name="answer" value="no">Cancel</button>'
        )
        return _page(
            f"Authorize {app.name}", f'<form method="post" action="/login/oauth/authorize">{hidden}{buttons}</form>'
        )

    async def authorize(self, request: web.Request) -> web.Response:
        user, form, app = self._user(request), await _form(request), self._app()
        back, state = form.get("redirect_uri", ""), form.get("state", "")
        if not any(_below(back, url) for url in app.callback_urls):
            raise web.HTTPBadRequest
        if form.get("answer") != "yes":
            raise web.HTTPFound(_with(back, error="access_denied", state=state))
        raise web.HTTPFound(self._granted(user, back, form.get("code_challenge"), state))

    async def show_new_app(self, request: web.Request) -> web.Response:
        form = await _form(request)
        try:
            manifest = json.loads(form.get("manifest", ""))
        except ValueError:
            manifest = None
        problems = problems_of(manifest, here=self.shapes.address)
        org = request.match_info.get("org")
        if org and next((account for account in self.world.accounts.values() if account.login == org), None) is None:
            problems.append(f"There is no organization {org}")
        if problems:
            return _page(
                RefusalRule.BAD_MANIFEST.message,
                "".join(f"<p>{escape(problem)}</p>" for problem in problems),
                status=422,
            )
        hidden = _hidden(manifest=form["manifest"], state=request.query.get("state", ""), org=org or "")
        name = escape(str(manifest.get("name") or ""), quote=True)
        body = (
            f'<form method="post" action="/settings/apps">{hidden}<label>Name <input name="name" '
            f'value="{name}"></label>'
        )
        return _page("Create GitHub App", f"{body}<button>Create GitHub App</button></form>")

    def _is_taken(self, name: str) -> bool:
        made = [app.slug for app, _ in self.codes.values()]
        return name.lower().replace(" ", "-") in {*made, *([self.world.app.slug] if self.world.app else [])}

    async def create_app(self, request: web.Request) -> web.Response:
        form = await _form(request)
        manifest: dict[str, Any] = json.loads(form["manifest"])
        owner = next((account for account in self.world.accounts.values() if account.login == form.get("org")), None)
        private, public = new_key()
        name = form.get("name") or manifest.get("name") or ""
        if not 0 < len(name) <= MAX_NAME_CHARS or self._is_taken(name):
            return _page("Invalid name", "<p>Name is too long, empty or already taken</p>", status=422)
        app = App(
            id=self.world.next_id(),
            slug=name.lower().replace(" ", "-"),
            public_keys=[public],
            webhook_secret=secrets.token_hex(20),
            webhook_url=manifest["hook_attributes"]["url"],
            owner=owner or self.people.users()[0],
            client_id=f"Iv23{secrets.token_hex(8)}",
            permissions=manifest.get("default_permissions", {}),
            events=manifest.get("default_events", []),
            name=name,
            client_secret=secrets.token_hex(20),
            callback_urls=manifest.get("callback_urls", []),
            setup_url=manifest.get("setup_url"),
        )
        code = secrets.token_hex(20)
        self.codes[code], self.codes_made_at[code] = (app, private), self.world.now()
        raise web.HTTPFound(_with(manifest["redirect_url"], code=code, state=form.get("state", "")))

    async def show_install(self, request: web.Request) -> web.Response:
        user, app = self._user(request), self._app()
        hidden = _hidden(state=request.query.get("state", ""))
        boxes = "".join(
            f'<p><label><input type="checkbox" name="repository" value="{repository.id}" checked> '
            f"{escape(repository.full_name)}</label></p>"
            for repository in self.world.repositories.values()
            if self.people.levels.get((user.id, repository.id)) == "admin"
        )
        form = (
            f'<form method="post" '
            f'action="/apps/{app.slug}/installations">{hidden}{boxes}<button>Install</button></form>'
        )
        return _page(f"Install {app.name}", form)

    async def install(self, request: web.Request) -> web.Response:
        user, app = self._user(request), self._app()
        asked = parse_qs((await request.read()).decode())
        ids = [int(number) for number in asked.get("repository", [])]
        chosen = [
            self.world.repositories[number] for number in ids if self.people.levels.get((user.id, number)) == "admin"
        ]
        if not chosen:
            return _page("Nothing chosen", "<p>Choose a repository.</p>", status=422)
        account = chosen[0].owner
        installation = Installation(
            self.world.next_id(), account, {repository.id for repository in chosen if repository.owner is account}
        )
        self.world.installations[installation.id] = installation
        self.webhooks.send("installation", self.shapes.installation_event("created", installation))
        if not app.setup_url:
            return _page("Installed", "<p>Done.</p>")
        query = {"installation_id": str(installation.id), "setup_action": "install"}
        state = asked.get("state", [""])[0]
        raise web.HTTPFound(_with(app.setup_url, **query, **({"state": state} if state else {})))

    def _app(self) -> App:
        if self.world.app is None:
            raise web.HTTPNotFound
        return self.world.app

    def _granted(self, user: Account, back: str, challenge: str | None, state: str) -> str:
        return _with(back, code=self.people.grant(user, back, challenge or None), state=state)


async def _form(request: web.Request) -> dict[str, str]:
    return {
        name: values[0] for name, values in parse_qs((await request.read()).decode(), keep_blank_values=True).items()
    }


def _below(address: str, callback: str) -> bool:
    asked, allowed = urlsplit(address), urlsplit(callback)
    return asked[:2] == allowed[:2] and asked.path.startswith(allowed.path)


def _with(address: str, **query: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}"


def _hidden(**values: str) -> str:
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(value, quote=True)}">' for name, value in values.items()
    )


def _page(title: str, body: str, status: int = 200) -> web.Response:
    text = (
        f'<!doctype html><html lang="en"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><h1>{escape(title)}</h1>{body}</html>'
    )
    return web.Response(text=text, status=status, content_type="text/html")
