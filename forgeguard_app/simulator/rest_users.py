"""REST routes in a person's name, and the two that trade a code: for a token, and for a new App."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode

from aiohttp import web

from forgeguard_app.simulator.app_pages import AppPages
from forgeguard_app.simulator.bodies import read_body
from forgeguard_app.simulator.gate import RequestGate, next_link, page_of
from forgeguard_app.simulator.people import REFRESH_LIFE_S, People
from forgeguard_app.simulator.rules import Denied, RefusalRule
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import World


class UserRoutes:
    """Handlers below /user, /app-manifests and /login/oauth."""

    def __init__(self, world: World, shapes: Shapes, people: People, pages: AppPages) -> None:
        self.world, self.shapes, self.people, self.pages = world, shapes, people, pages
        self.gate = RequestGate(world, shapes, people)

    async def get_user(self, request: web.Request) -> web.Response:
        user = self.gate.user(request)
        return web.json_response(self.shapes.private_user(user))

    async def list_installations(self, request: web.Request) -> web.Response:
        user = self.gate.user(request)
        found = [self.shapes.installation(installation) for installation in self.people.installations_of(user)]
        body = {"total_count": len(found), "installations": page_of(request, found)}
        return web.json_response(body, headers=next_link(request, self.shapes.api, len(found)))

    async def list_repositories(self, request: web.Request) -> web.Response:
        user = self.gate.user(request)
        installation = self.world.installations.get(int(request.match_info["id"]))
        if installation is None or installation not in self.people.installations_of(user):
            raise Denied(RefusalRule.FOREIGN_INSTALLATION)
        found = []
        for repository in self.people.repositories_of(user, installation):
            level = self.people.levels[user.id, repository.id]
            permissions = {
                "admin": level == "admin",
                "maintain": level == "admin",
                "push": level in ("write", "admin"),
                "triage": level in ("write", "admin"),
                "pull": True,
            }
            found.append({**self.shapes.repository(repository), "permissions": permissions})
        body = {"total_count": len(found), "repositories": page_of(request, found)}
        return web.json_response(body, headers=next_link(request, self.shapes.api, len(found)))

    async def convert_manifest(self, request: web.Request) -> web.Response:
        self.gate.nobody(request)
        await read_body(request)
        app, private = self.pages.convert(request.match_info["code"])
        self.world.app = app
        body = self.shapes.app(app) | {
            "client_secret": app.client_secret,
            "webhook_secret": app.webhook_secret,
            "pem": private,
        }
        return web.json_response(body, status=201)

    async def trade_code(self, request: web.Request) -> web.Response:
        """Always 200, as GitHub answers; errors are in the body, and the body is a form unless JSON is asked for."""
        if "Authorization" in request.headers:
            denied = Denied(RefusalRule.OAUTH_WITH_CREDENTIAL)
            return web.json_response({"message": denied.message}, status=denied.status, headers=denied.headers)
        headers: dict[str, str] = {}
        try:
            answer = self._traded(await _asked(request))
        except Denied as denied:
            headers = denied.headers
            answer = {"error": denied.message, "error_description": denied.rule.when, "error_uri": denied.rule.source}
        if "application/json" in request.headers.get("Accept", ""):
            return web.json_response(answer, headers=headers)
        text = urlencode(answer)
        return web.Response(text=text, content_type="application/x-www-form-urlencoded", headers=headers)

    def _traded(self, wanted: dict[str, str]) -> dict[str, Any]:
        app = self.world.app
        known = app is not None and wanted.get("client_id") == app.client_id
        if app is None or not known or wanted.get("client_secret") not in app.client_secrets:
            raise Denied(RefusalRule.BAD_CLIENT)
        match wanted.get("grant_type", "authorization_code"):
            case "refresh_token":
                value, token = self.people.refresh(wanted.get("refresh_token", ""))
            case "authorization_code":
                value, token = self.people.redeem(
                    wanted.get("code", ""), wanted.get("redirect_uri", ""), wanted.get("code_verifier", "")
                )
            case _:
                raise Denied(RefusalRule.UNKNOWN_GRANT)
        return {
            "access_token": value,
            "expires_in": int(token.expires_at - self.world.now()),
            "refresh_token": token.refresh_token,
            "refresh_token_expires_in": REFRESH_LIFE_S,
            "scope": "",
            "token_type": "bearer",
        }


async def _asked(request: web.Request) -> dict[str, str]:
    if request.content_type == "application/json":
        return {name: str(value) for name, value in (await read_body(request)).items()}
    text = (await request.read()).decode("utf-8", "replace")
    return {name: values[0] for name, values in parse_qs(text).items()}
