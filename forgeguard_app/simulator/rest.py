"""The REST API: what an App needs of it, in one table of routes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web

from forgeguard_app.simulator.bodies import read_body
from forgeguard_app.simulator.conditional import conditional
from forgeguard_app.simulator.faults import REST
from forgeguard_app.simulator.gate import INSTALLATION, rate_headers
from forgeguard_app.simulator.rest_app import AppRoutes
from forgeguard_app.simulator.rest_checks import CheckRoutes
from forgeguard_app.simulator.rest_contents import ContentRoutes
from forgeguard_app.simulator.rest_users import UserRoutes
from forgeguard_app.simulator.rules import Denied, Moved, RefusalRule
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import Installation, World
from forgeguard_app.simulator.webhooks import Webhooks

SLOW_S = 0.2
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestFace:
    """Routes below /api/v3."""

    def __init__(self, world: World, shapes: Shapes, webhooks: Webhooks, users: UserRoutes) -> None:
        self.world = world
        gate = self.gate = users.gate
        self.app = AppRoutes(world, shapes, webhooks, gate)
        self.checks = CheckRoutes(world, shapes, gate)
        self.contents = ContentRoutes(world, shapes, gate)
        self.users = users

    def routes(self) -> list[web.RouteDef]:
        """Return every route, in one table."""
        repo = r"/repos/{owner}/{repo}"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/app", self.app.get_app),
            ("GET", "/app/installations", self.app.list_installations),
            ("GET", r"/app/installations/{id:\d+}", self.app.get_installation),
            ("GET", "/app/hook/config", self.app.get_hook),
            ("GET", "/app/hook/deliveries", self.app.list_deliveries),
            ("GET", r"/app/hook/deliveries/{id:\d+}", self.app.get_delivery),
            ("POST", r"/app/hook/deliveries/{id:\d+}/attempts", self.app.redeliver),
            ("POST", r"/app/installations/{id:\d+}/access_tokens", self.app.create_token),
            ("GET", "/installation/repositories", self.app.list_repositories),
            ("DELETE", "/installation/token", self.app.revoke_token),
            ("GET", "/rate_limit", self.app.rate_limit),
            ("GET", "/user", self.users.get_user),
            ("GET", "/user/installations", self.users.list_installations),
            ("GET", r"/user/installations/{id:\d+}/repositories", self.users.list_repositories),
            ("POST", "/app-manifests/{code}/conversions", self.users.convert_manifest),
        ]
        for prefix in (repo, r"/repositories/{repo_id:\d+}"):
            table += [
                ("GET", prefix + "/rules/branches/{branch}", self.contents.list_rules),
                ("GET", f"{prefix}/branches", self.contents.list_branches),
                ("GET", prefix, self.checks.get_repository),
                ("GET", f"{prefix}/installation", self.app.get_installation_of),
                ("POST", f"{prefix}/check-runs", self.checks.create_check_run),
                ("GET", prefix + r"/check-runs/{id:\d+}", self.checks.get_check_run),
                ("PATCH", prefix + r"/check-runs/{id:\d+}", self.checks.update_check_run),
                ("GET", prefix + r"/check-runs/{id:\d+}/annotations", self.checks.list_annotations),
                ("GET", prefix + r"/commits/{ref}/check-runs", self.checks.list_check_runs),
                ("GET", prefix + "/pulls", self.contents.list_pulls),
                ("POST", prefix + "/pulls", self.contents.create_pull),
                ("GET", prefix + r"/pulls/{number:\d+}", self.contents.get_pull),
                ("POST", prefix + "/git/refs", self.contents.create_ref),
                ("GET", prefix + "/contents/{path:.+}", self.contents.get_file),
                ("PUT", prefix + "/contents/{path:.+}", self.contents.put_file),
            ]
        routes = [web.route(method, f"/api/v3{path}", self._answered(handler)) for method, path, handler in table]
        known = sorted({path for _, path, _ in table})
        routes += [web.route("*", f"/api/v3{path}", self._answered(self._no_method)) for path in known]
        return [*routes, web.route("*", "/api/v3{path:.*}", self._answered(self._no_path))]

    async def _no_method(self, request: web.Request) -> web.StreamResponse:
        self.gate.who(request)
        raise Denied(RefusalRule.UNKNOWN_METHOD)

    async def _no_path(self, request: web.Request) -> web.StreamResponse:
        self.gate.who(request)
        raise Denied(RefusalRule.UNKNOWN_PATH)

    def _answered(self, handler: Handler) -> Handler:
        async def answered(request: web.Request) -> web.StreamResponse:
            self.world.requests.append((request.method, request.path))
            faults = self.world.faults
            if faults is None:
                return await self._answer(request, handler)
            identity = await self._identity(request)
            faults.observe("before", identity)
            kind = faults.choose("rest", identity, REST)
            response = await self._spoilt(request, kind)
            if response is None:
                response = await self._answer(request, handler)
                if kind in ("500-after", "reset-after"):
                    response = await self._broken(request, kind.removesuffix("-after"))
            faults.observe("after", identity)
            response.headers["Date"] = formatdate(self.world.now(), usegmt=True)
            return response

        return answered

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        installation: Installation | None = None
        if any(part in request.path for part in self.world.silent):
            return web.json_response({"message": "Server Error"}, status=500)
        try:
            self.gate.enter(request)
            response = await handler(request)
        except Denied as denied:
            response = _refusal(denied.status, denied.message, denied.headers, denied.errors)
        except Moved as moved:
            response = _refusal(301, "Moved Permanently", {"Location": moved.location}, None)
        finally:
            installation = request.get(INSTALLATION)
            if installation is not None:
                installation.at_once -= 1
        if isinstance(response, web.Response):
            response = conditional(request, response, self.world)
        if installation is not None:
            response.headers.update(rate_headers(installation))
        response.headers["Date"] = formatdate(self.world.now(), usegmt=True)
        return response

    async def _identity(self, request: web.Request) -> str:
        """Return a request's description that is the same in every replay: no id, no commit."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource else request.path
        name = ""
        if request.method in ("POST", "PATCH") and "check-runs" in route:
            run = self.world.check_runs.get(int(request.match_info.get("id", "0")))
            try:
                name = run.name if run else str((await read_body(request)).get("name", ""))
            except Denied:  # the handler answers what the body lacks
                name = ""
        return f"{request.method} {route} {name}".strip()

    async def _spoilt(self, request: web.Request, kind: str | None) -> web.StreamResponse | None:
        """Return the answer of a fault that comes before anything was done; None where the request goes on."""
        limits = self.world.limits
        match kind:
            case None | "500-after" | "reset-after":
                return None
            case "slow":
                await asyncio.sleep(SLOW_S)
                return None
            case "403-secondary":
                body = {"message": "You have exceeded a secondary rate limit."}
                return web.json_response(body, status=403, headers={"Retry-After": str(limits.retry_after_s)})
            case "429":
                return web.json_response({"message": "Too many requests"}, status=429, headers={"Retry-After": "1"})
            case "403-primary":
                reset = str(int(self.world.now()) + 1)
                headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset, "x-ratelimit-limit": "5000"}
                return web.json_response({"message": "API rate limit exceeded"}, status=403, headers=headers)
            case "expire":
                self.world.tokens.pop(request.headers.get("Authorization", "").partition(" ")[2], None)
                return None
            case "401":
                return web.json_response({"message": "Bad credentials"}, status=401)
            case _:
                return await self._broken(request, kind)

    async def _broken(self, request: web.Request, kind: str) -> web.StreamResponse:
        if kind == "reset" and request.transport is not None:
            request.transport.abort()
        if kind == "502-html":
            return web.Response(status=502, text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
        return web.json_response({"message": "Server Error"}, status=500)


def _refusal(status: int, message: str, headers: dict[str, str], errors: list[Any] | None) -> web.Response:
    body: dict[str, Any] = {
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": str(status),
    }
    if errors is not None:
        body["errors"] = errors
    return web.json_response(body, status=status, headers=headers)
