"""REST routes in a person's name, and the two that trade a code: for a token, and for a new App."""

from __future__ import annotations

import time
from urllib.parse import parse_qs

from aiohttp import web

from forgeguard_app.simulator.app_pages import AppPages
from forgeguard_app.simulator.gate import Denied, json_body, next_link, page_of
from forgeguard_app.simulator.people import REFRESH_LIFE_S, People
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import Account, World


class UserRoutes:
    """Handlers below /user, /app-manifests and /login/oauth."""

    def __init__(self, world: World, shapes: Shapes, people: People, pages: AppPages) -> None:
        self.world, self.shapes, self.people, self.pages = world, shapes, people, pages

    def _user(self, request: web.Request) -> Account:
        token = self.people.tokens.get(request.headers.get("Authorization", "").partition(" ")[2])
        if token is None or token.expires_at < time.time():
            raise Denied(401, "Bad credentials")
        return token.user

    async def get_user(self, request: web.Request) -> web.Response:
        user = self._user(request)
        return web.json_response(self.shapes.private_user(user))

    async def list_installations(self, request: web.Request) -> web.Response:
        user = self._user(request)
        found = [self.shapes.installation(one) for one in self.people.installations_of(user)]
        body = {"total_count": len(found), "installations": page_of(request, found)}
        return web.json_response(body, headers=next_link(request, self.shapes.api, len(found)))

    async def list_repositories(self, request: web.Request) -> web.Response:
        user = self._user(request)
        installation = self.world.installations.get(int(request.match_info["id"]))
        if installation is None or installation not in self.people.installations_of(user):
            raise Denied(404, "Not Found")
        found = []
        for one in self.people.repositories_of(user, installation):
            level = self.people.levels[user.id, one.id]
            permissions = {
                "admin": level == "admin", "maintain": level == "admin", "push": level in ("write", "admin"),
                "triage": level in ("write", "admin"), "pull": True,
            }  # fmt: skip
            found.append({**self.shapes.repository(one), "permissions": permissions})
        body = {"total_count": len(found), "repositories": page_of(request, found)}
        return web.json_response(body, headers=next_link(request, self.shapes.api, len(found)))

    async def convert_manifest(self, request: web.Request) -> web.Response:
        made = self.pages.codes.pop(request.match_info["code"], None)
        if made is None:
            raise Denied(404, "Not Found")
        app, private = made
        self.world.app = app
        body = self.shapes.app(app) | {
            "client_secret": app.client_secret, "webhook_secret": app.webhook_secret, "pem": private,
        }  # fmt: skip
        return web.json_response(body, status=201)

    async def trade_code(self, request: web.Request) -> web.Response:
        """Always 200, as GitHub answers; errors are in the body."""
        if request.content_type == "application/json":
            wanted = {name: str(value) for name, value in (await json_body(request)).items()}
        else:
            wanted = {name: values[0] for name, values in parse_qs((await request.read()).decode()).items()}
        app = self.world.app
        if (
            app is None
            or wanted.get("client_id") != app.client_id
            or wanted.get("client_secret") not in app.client_secrets
        ):
            return web.json_response({"error": "incorrect_client_credentials", "error_description": "…"})
        if wanted.get("grant_type") == "refresh_token":
            made = self.people.refresh(wanted.get("refresh_token", ""))
        else:
            made = self.people.redeem(
                wanted.get("code", ""), wanted.get("redirect_uri", ""), wanted.get("code_verifier", "")
            )
        if isinstance(made, str):
            return web.json_response({"error": made, "error_description": "The code passed is incorrect or expired."})
        value, token = made
        return web.json_response(
            {
                "access_token": value, "expires_in": int(token.expires_at - time.time()), "refresh_token": token.refresh_token,
                "refresh_token_expires_in": REFRESH_LIFE_S, "scope": "", "token_type": "bearer",
            }
        )  # fmt: skip
