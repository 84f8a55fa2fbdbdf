"""REST routes of the App itself: tokens, installations, the delivery log, the rate limit."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import web

from forgeguard_app.simulator.bodies import CREATE_TOKEN, NOTHING, checked_body
from forgeguard_app.simulator.gate import RequestGate, asked_page, next_link, page_of
from forgeguard_app.simulator.rules import Denied, RefusalRule
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import PRIMARY_LIMIT, Delivery, Installation, World, stamp
from forgeguard_app.simulator.webhooks import Webhooks

DELIVERY_LIFE_S = 3 * 86_400
_CURSOR = re.compile(r"v1_([0-9]{1,18})")
_LEVELS = ("read", "write", "admin")


class AppRoutes:
    """Handlers below /app and /installation."""

    def __init__(self, world: World, shapes: Shapes, webhooks: Webhooks, gate: RequestGate) -> None:
        self.world, self.shapes, self.webhooks, self.gate = world, shapes, webhooks, gate

    async def get_app(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        if self.world.app is None:
            raise Denied(RefusalRule.ISS_UNKNOWN)
        return web.json_response(
            {**self.shapes.app(self.world.app), "installations_count": len(self.world.installations)}
        )

    async def create_token(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        installation = self.world.installations.get(int(request.match_info["id"]))
        if installation is None:
            raise Denied(RefusalRule.UNKNOWN_INSTALLATION)
        if installation.suspended_at is not None:
            raise Denied(RefusalRule.SUSPENDED_INSTALLATION)
        wanted = await checked_body(request, CREATE_TOKEN)
        granted = self.world.granted(installation)
        permissions = wanted.get("permissions", granted)
        if not all(_covers(granted.get(name), level) for name, level in permissions.items()):
            raise Denied(RefusalRule.NOT_GRANTED)
        ids = self._asked_ids(wanted, installation)
        if not ids <= installation.repository_ids:
            raise Denied(RefusalRule.FOREIGN_REPOSITORY)
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

    def _asked_ids(self, wanted: dict[str, Any], installation: Installation) -> set[int]:
        """Return the repositories that a token is asked for, by id or by name; 0 stands for one that is unknown."""
        if "repository_ids" not in wanted and "repositories" not in wanted:
            return set(installation.repository_ids)
        found = (
            self.world.find_repository(f"{installation.account.login}/{name}")
            for name in wanted.get("repositories", ())
        )
        return {
            *wanted.get("repository_ids", ()),
            *(repository.id if repository is not None else 0 for repository in found),
        }

    async def get_hook(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        url = self.world.app.webhook_url if self.world.app else ""
        return web.json_response({"content_type": "json", "insecure_ssl": "0", "secret": "********", "url": url})

    async def list_installations(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        listed = [
            installation
            for installation in self.world.installations.values()
            if installation.id not in self.world.unlisted
        ]
        found = [self.shapes.installation(installation) for installation in listed]
        return web.json_response(page_of(request, found), headers=next_link(request, self.shapes.api, len(found)))

    async def get_installation(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        installation = self.world.installations.get(int(request.match_info["id"]))
        if installation is None:
            raise Denied(RefusalRule.UNKNOWN_INSTALLATION)
        return web.json_response(self.shapes.installation(installation))

    async def get_installation_of(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        repository = self.gate.named(request)
        installation = None if repository is None else self.world.installation_of(repository.id)
        if installation is None:
            raise Denied(RefusalRule.NOT_INSTALLED)
        return web.json_response(self.shapes.installation(installation))

    async def list_repositories(self, request: web.Request) -> web.Response:
        token, installation = self.gate.token(request)
        ids = sorted((token.repository_ids & installation.repository_ids) - self.world.unlisted)
        found = [self.shapes.repository(self.world.repositories[number]) for number in ids]
        body = {"total_count": len(found), "repositories": page_of(request, found)}
        return web.json_response(body, headers=next_link(request, self.shapes.api, len(found)))

    async def revoke_token(self, request: web.Request) -> web.Response:
        self.gate.token(request)
        value = request.headers["Authorization"].partition(" ")[2]
        self.world.revoked.add(value)
        del self.world.tokens[value]
        return web.Response(status=204)

    async def list_deliveries(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        size, _ = asked_page(request)
        newest = [
            delivery
            for delivery in reversed(self.world.deliveries)
            if delivery.delivered_at and not self._is_old(delivery)
        ]
        cursor = request.query.get("cursor")
        if cursor is not None:  # the last attempt of the page before, so that new ones move no page
            last = _CURSOR.fullmatch(cursor)
            if last is None:
                raise Denied(RefusalRule.BAD_CURSOR)
            newest = [delivery for delivery in newest if delivery.id < int(last[1])]
        headers = {}
        if size < len(newest):
            following = f"{self.shapes.api}/app/hook/deliveries?per_page={size}&cursor=v1_{newest[size - 1].id}"
            headers["Link"] = f'<{following}>; rel="next"'
        return web.json_response([self.shapes.delivery(delivery) for delivery in newest[:size]], headers=headers)

    async def get_delivery(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        delivery = self._delivery(request)
        body = self.shapes.delivery(delivery) | {
            "url": self.world.app.webhook_url if self.world.app else "",
            "request": {"headers": delivery.headers, "payload": json.loads(delivery.body)},
            "response": {"headers": {}, "payload": delivery.answer},
        }
        return web.json_response(body)

    async def redeliver(self, request: web.Request) -> web.Response:
        self.gate.app(request)
        delivery = self._delivery(request)
        await checked_body(request, NOTHING)
        self.webhooks.send(delivery.event, json.loads(delivery.body), guid=delivery.guid, redelivery=True)
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

    def _delivery(self, request: web.Request) -> Delivery:
        found = next(
            (delivery for delivery in self.world.deliveries if delivery.id == int(request.match_info["id"])), None
        )
        if found is None:
            raise Denied(RefusalRule.UNKNOWN_DELIVERY)
        if self._is_old(found):
            raise Denied(RefusalRule.OLD_DELIVERY)
        return found

    def _is_old(self, delivery: Delivery) -> bool:
        return bool(delivery.delivered_at) and delivery.delivered_at < stamp(self.world.now() - DELIVERY_LIFE_S)


def _covers(granted: str | None, level: str) -> bool:
    return granted in _LEVELS and level in _LEVELS[: _LEVELS.index(granted) + 1]
