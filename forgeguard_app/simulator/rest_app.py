"""REST routes of the App itself: tokens, installations, the delivery log, the rate limit."""

from __future__ import annotations

import json

from aiohttp import web

from forgeguard_app.simulator.gate import Denied, Gate, json_body, next_link, page_of
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import PRIMARY_LIMIT, World, stamp
from forgeguard_app.simulator.webhooks import Webhooks


class AppRoutes:
    """Handlers below /app and /installation."""

    def __init__(self, world: World, shapes: Shapes, webhooks: Webhooks, gate: Gate) -> None:
        self.world, self.shapes, self.webhooks, self.gate = world, shapes, webhooks, gate

    async def get_app(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        if self.world.app is None:
            raise Denied(404, "Not Found")
        return web.json_response(
            {**self.shapes.app(self.world.app), "installations_count": len(self.world.installations)}
        )

    async def create_token(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        installation = self.world.installations.get(int(request.match_info["id"]))
        if installation is None:
            raise Denied(404, "Not Found")
        if installation.suspended_at is not None:
            raise Denied(403, "This installation has been suspended")
        wanted = await json_body(request)
        granted = self.world.granted(installation)
        permissions = wanted.get("permissions") or granted
        for name, level in permissions.items():
            if name not in granted or (level == "write" and granted[name] != "write"):
                raise Denied(422, f"The permissions requested are not granted to this installation: {name}")
        ids = set(wanted.get("repository_ids") or installation.repository_ids)
        if not ids <= installation.repository_ids:
            raise Denied(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        value, token = self.world.mint(installation, ids, dict(permissions))
        body: dict[str, object] = {
            "token": value,
            "expires_at": stamp(token.expires_at),
            "permissions": token.permissions,
            "repository_selection": "selected",
        }
        if wanted.get("repository_ids"):
            body["repositories"] = [self.shapes.repository(self.world.repositories[number]) for number in sorted(ids)]
        return web.json_response(body, status=201)

    async def get_hook(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        url = self.world.app.webhook_url if self.world.app else ""
        return web.json_response({"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": url})

    async def list_installations(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        found = [self.shapes.installation(one) for one in self.world.installations.values()]
        return web.json_response(page_of(request, found), headers=next_link(request, self.shapes.api, len(found)))

    async def list_repositories(self, request: web.Request) -> web.Response:
        token, installation = self.gate.token(request)
        ids = sorted(token.repository_ids & installation.repository_ids)
        found = [self.shapes.repository(self.world.repositories[number]) for number in ids]
        body = {"total_count": len(found), "repositories": page_of(request, found)}
        return web.json_response(body, headers=next_link(request, self.shapes.api, len(found)))

    async def list_deliveries(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        size = min(int(request.query.get("per_page", "30")), 100)
        newest = [one for one in reversed(self.world.deliveries) if one.delivered_at]
        start = int(request.query.get("cursor", "0"))
        headers = {}
        if start + size < len(newest):
            headers["Link"] = (
                f'<{self.shapes.api}/app/hook/deliveries?per_page={size}&cursor={start + size}>; rel="next"'
            )
        return web.json_response([self.shapes.delivery(one) for one in newest[start : start + size]], headers=headers)

    async def get_delivery(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        one = next((d for d in self.world.deliveries if d.id == int(request.match_info["id"])), None)
        if one is None:
            raise Denied(404, "Not Found")
        body = self.shapes.delivery(one) | {
            "url": self.world.app.webhook_url if self.world.app else "",
            "request": {"headers": one.headers, "payload": json.loads(one.body)},
            "response": {"headers": {}, "payload": one.answer},
        }
        return web.json_response(body)

    async def redeliver(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        one = next((d for d in self.world.deliveries if d.id == int(request.match_info["id"])), None)
        if one is None:
            raise Denied(404, "Not Found")
        self.webhooks.send(one.event, json.loads(one.body), guid=one.guid, redelivery=True)
        return web.json_response({}, status=202)

    async def rate_limit(self, request: web.Request) -> web.Response:
        _, installation = self.gate.token(request)
        installation.used -= 1
        rate = {
            "limit": PRIMARY_LIMIT,
            "remaining": PRIMARY_LIMIT - installation.used,
            "reset": int(installation.window_start + 3_600),
            "used": installation.used,
        }
        return web.json_response({"resources": {"core": rate, "search": rate}, "rate": rate})
