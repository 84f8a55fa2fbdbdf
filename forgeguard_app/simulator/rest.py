"""The REST API: what an App needs of it, with GitHub's limits enforced."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from aiohttp import web

from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import PRIMARY_LIMIT, CheckRun, Installation, Repository, Token, World, stamp
from forgeguard_app.simulator.webhooks import Webhooks

MAX_ANNOTATIONS = 50
MAX_TEXT_BYTES = 65_535
MAX_ACTIONS = 3
WRITES_PER_MINUTE, WRITES_PER_HOUR = 80, 500
JWT_LIFE_S = 600
_CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "skipped", "success", "timed_out")
_STATUSES = ("queued", "in_progress", "completed")
_LEVELS = ("notice", "warning", "failure")
INSTALLATION: web.RequestKey[Installation] = web.RequestKey("INSTALLATION")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Denied(Exception):
    """An error answer in GitHub's form."""

    def __init__(
        self, status: int, message: str, headers: dict[str, str] | None = None, errors: list[Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.headers, self.errors = status, message, headers or {}, errors


class RestFace:
    """Routes below /api/v3."""

    def __init__(self, world: World, shapes: Shapes, webhooks: Webhooks) -> None:
        self.world, self.shapes, self.webhooks = world, shapes, webhooks

    def routes(self) -> list[web.RouteDef]:
        """Every route, in one table."""
        repo = r"/repos/{owner}/{repo}"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/app", self.get_app),
            ("GET", "/app/hook/deliveries", self.list_deliveries),
            ("GET", r"/app/hook/deliveries/{id:\d+}", self.get_delivery),
            ("POST", r"/app/hook/deliveries/{id:\d+}/attempts", self.redeliver),
            ("POST", r"/app/installations/{id:\d+}/access_tokens", self.create_token),
            ("GET", "/installation/repositories", self.list_repositories),
            ("GET", "/rate_limit", self.rate_limit),
        ]
        for prefix in (repo, r"/repositories/{repo_id:\d+}"):
            table += [
                ("GET", prefix, self.get_repository),
                ("POST", f"{prefix}/check-runs", self.create_check_run),
                ("GET", prefix + r"/check-runs/{id:\d+}", self.get_check_run),
                ("PATCH", prefix + r"/check-runs/{id:\d+}", self.update_check_run),
                ("GET", prefix + r"/check-runs/{id:\d+}/annotations", self.list_annotations),
                ("GET", prefix + r"/commits/{ref}/check-runs", self.list_check_runs),
            ]
        return [web.route(method, f"/api/v3{path}", self._answered(handler)) for method, path, handler in table]

    def _answered(self, handler: Handler) -> Handler:
        async def answered(request: web.Request) -> web.StreamResponse:
            self.world.requests.append((request.method, request.path))
            try:
                response = await handler(request)
            except Denied as denied:
                body: dict[str, Any] = {
                    "message": denied.message,
                    "documentation_url": "https://docs.github.com/rest",
                    "status": str(denied.status),
                }
                if denied.errors is not None:
                    body["errors"] = denied.errors
                response = web.json_response(body, status=denied.status, headers=denied.headers)
            installation = request.get(INSTALLATION)
            if installation is not None:
                response.headers.update(_rate_headers(installation))
            return response

        return answered

    # Who asks

    def _app(self, request: web.Request) -> None:
        """An App's JWT, verified as GitHub does."""
        value = request.headers.get("Authorization", "").removeprefix("Bearer ").removeprefix("bearer ")
        app = self.world.app
        for key in app.public_keys if app else ():
            try:
                claims = jwt.decode(
                    value,
                    key,
                    algorithms=["RS256"],
                    options={"require": ["iat", "exp", "iss"], "verify_iss": False},
                    leeway=5,
                )
            except jwt.PyJWTError:
                continue
            if claims["exp"] - time.time() > JWT_LIFE_S:
                raise Denied(401, "'Expiration time' claim ('exp') is too far in the future")
            if app is not None and str(claims["iss"]) in (str(app.id), app.client_id):
                return
        raise Denied(401, "A JSON web token could not be decoded")

    def _token(self, request: web.Request) -> tuple[Token, Installation]:
        """An installation token that holds, counted against its limit."""
        header = request.headers.get("Authorization", "")
        token = self.world.tokens.get(header.partition(" ")[2])
        if token is None or token.expires_at < time.time():
            raise Denied(401, "Bad credentials")
        installation = self.world.installations.get(token.installation_id)
        if installation is None:
            raise Denied(401, "Bad credentials")
        request[INSTALLATION] = installation
        if installation.suspended_at is not None:
            raise Denied(403, "This installation has been suspended")
        if time.time() - installation.window_start >= 3_600:
            installation.window_start, installation.used = time.time(), 0
        installation.used += 1
        if installation.used > PRIMARY_LIMIT:
            raise Denied(403, "API rate limit exceeded for installation.")
        return token, installation

    def _repository(self, request: web.Request, permission: str = "metadata", *, write: bool = False) -> Repository:
        token, installation = self._token(request)
        if "repo_id" in request.match_info:
            repository = self.world.repositories.get(int(request.match_info["repo_id"]))
        else:
            full_name = f"{request.match_info['owner']}/{request.match_info['repo']}"
            repository = self.world.find_repository(full_name)
            if repository is None and (moved := self.world.moved.get(full_name.lower())) is not None:
                tail = request.path.split(f"/{request.match_info['repo']}", 1)[1]
                there = f"{self.shapes.api}/repositories/{moved}{tail}"
                raise Denied(301, "Moved Permanently", {"Location": there})
        if repository is None or repository.id not in token.repository_ids & installation.repository_ids:
            raise Denied(404, "Not Found")
        level = token.permissions.get(permission)
        if level is None or (write and level != "write"):
            raise Denied(403, "Resource not accessible by integration")
        if write:
            self._secondary(installation)
        return repository

    def _secondary(self, installation: Installation) -> None:
        """The limits on writes; off where the world says so."""
        now = time.time()
        while installation.writes and installation.writes[0] < now - 3_600:
            installation.writes.popleft()
        if self.world.secondary_limits:
            minute = sum(at > now - 60 for at in installation.writes)
            if minute >= WRITES_PER_MINUTE or len(installation.writes) >= WRITES_PER_HOUR:
                raise Denied(
                    403, "You have exceeded a secondary rate limit. Please wait a few minutes.", {"Retry-After": "60"}
                )
        installation.writes.append(now)

    # The App

    async def get_app(self, request: web.Request) -> web.Response:
        self._app(request)
        if self.world.app is None:
            raise Denied(404, "Not Found")
        return web.json_response(
            {**self.shapes.app(self.world.app), "installations_count": len(self.world.installations)}
        )

    async def create_token(self, request: web.Request) -> web.Response:
        self._app(request)
        installation = self.world.installations.get(int(request.match_info["id"]))
        if installation is None:
            raise Denied(404, "Not Found")
        if installation.suspended_at is not None:
            raise Denied(403, "This installation has been suspended")
        wanted = await _body(request)
        granted = self.world.app.permissions if self.world.app else {}
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
        body = {
            "token": value,
            "expires_at": stamp(token.expires_at),
            "permissions": token.permissions,
            "repository_selection": "selected",
        }
        return web.json_response(body, status=201)

    async def list_repositories(self, request: web.Request) -> web.Response:
        token, installation = self._token(request)
        ids = sorted(token.repository_ids & installation.repository_ids)
        found = [self.shapes.repository(self.world.repositories[number]) for number in ids]
        return web.json_response({"total_count": len(found), "repositories": found})

    async def list_deliveries(self, request: web.Request) -> web.Response:
        self._app(request)
        size = min(int(request.query.get("per_page", "30")), 100)
        newest = list(reversed(self.world.deliveries))
        start = int(request.query.get("cursor", "0"))
        headers = {}
        if start + size < len(newest):
            headers["Link"] = (
                f'<{self.shapes.api}/app/hook/deliveries?per_page={size}&cursor={start + size}>; rel="next"'
            )
        return web.json_response([self.shapes.delivery(one) for one in newest[start : start + size]], headers=headers)

    async def get_delivery(self, request: web.Request) -> web.Response:
        self._app(request)
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
        self._app(request)
        one = next((d for d in self.world.deliveries if d.id == int(request.match_info["id"])), None)
        if one is None:
            raise Denied(404, "Not Found")
        self.webhooks.send(one.event, json.loads(one.body), guid=one.guid, redelivery=True)
        return web.json_response({}, status=202)

    async def rate_limit(self, request: web.Request) -> web.Response:
        _, installation = self._token(request)
        installation.used -= 1
        rate = {
            "limit": PRIMARY_LIMIT,
            "remaining": PRIMARY_LIMIT - installation.used,
            "reset": int(installation.window_start + 3_600),
            "used": installation.used,
        }
        return web.json_response({"resources": {"core": rate, "search": rate}, "rate": rate})

    # Repositories and check runs

    async def get_repository(self, request: web.Request) -> web.Response:
        shape = self.shapes.repository(self._repository(request))
        del shape["has_downloads"]  # webhooks carry it, the REST API no longer does
        return web.json_response(shape)

    async def create_check_run(self, request: web.Request) -> web.Response:
        repository = self._repository(request, "checks", write=True)
        body = await _body(request)
        name, sha = body.get("name"), body.get("head_sha")
        if not isinstance(name, str) or not name or not isinstance(sha, str):
            raise Denied(422, 'Invalid request.\n\n"name", "head_sha" weren\'t supplied.')
        await self._check_commit(repository, sha)
        run = CheckRun(
            self.world.next_id(), repository.id, sha, name, self.world.suite_of(repository.id, sha), started_at=stamp()
        )
        _apply(run, body)
        self.world.check_runs[run.id] = run
        return web.json_response(self.shapes.check_run(run), status=201)

    async def _check_commit(self, repository: Repository, sha: str) -> None:
        try:
            await git(repository.folder, "cat-file", "-e", f"{sha}^{{commit}}")
        except RuntimeError:
            raise Denied(422, f"No commit found for SHA: {sha}") from None

    def _run(self, request: web.Request, repository: Repository) -> CheckRun:
        run = self.world.check_runs.get(int(request.match_info["id"]))
        if run is None or run.repository_id != repository.id:
            raise Denied(404, "Not Found")
        return run

    async def get_check_run(self, request: web.Request) -> web.Response:
        return web.json_response(self.shapes.check_run(self._run(request, self._repository(request, "checks"))))

    async def update_check_run(self, request: web.Request) -> web.Response:
        run = self._run(request, self._repository(request, "checks", write=True))
        _apply(run, await _body(request))
        run.writes += 1
        return web.json_response(self.shapes.check_run(run))

    async def list_annotations(self, request: web.Request) -> web.Response:
        run = self._run(request, self._repository(request, "checks"))
        return web.json_response([self.shapes.annotation(run, one) for one in _page(request, run.annotations)])

    async def list_check_runs(self, request: web.Request) -> web.Response:
        repository = self._repository(request, "checks")
        sha = request.match_info["ref"]
        everything = request.query.get("filter", "latest") == "all"
        runs = self.world.runs_of(repository.id, sha) if everything else self.world.latest_runs(repository.id, sha)
        if name := request.query.get("check_name"):
            runs = [run for run in runs if run.name == name]
        shown = [self.shapes.check_run(run) for run in _page(request, runs)]
        return web.json_response({"total_count": len(runs), "check_runs": shown})


def _page(request: web.Request, items: list[Any]) -> list[Any]:
    size = min(int(request.query.get("per_page", "30")), 100)
    start = (int(request.query.get("page", "1")) - 1) * size
    return items[start : start + size]


def _rate_headers(installation: Installation) -> dict[str, str]:
    remaining = max(PRIMARY_LIMIT - installation.used, 0)
    return {
        "x-ratelimit-limit": str(PRIMARY_LIMIT), "x-ratelimit-remaining": str(remaining), "x-ratelimit-used": str(installation.used),
        "x-ratelimit-reset": str(int(installation.window_start + 3_600)), "x-ratelimit-resource": "core",
    }  # fmt: skip


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise Denied(400, "Problems parsing JSON") from None
    if not isinstance(body, dict):
        raise Denied(400, "Body should be a JSON object")
    return body


def _apply(run: CheckRun, body: dict[str, Any]) -> None:
    """Takes what a create or an update says, refusing what GitHub refuses."""
    _check_words(body)
    for action in body.get("actions") or []:
        if (
            len(action.get("label", "")) > 20
            or len(action.get("description", "")) > 40
            or len(action.get("identifier", "")) > 20
        ):
            raise Denied(422, "Invalid request. An action is too long.")
    if len(body.get("actions") or []) > MAX_ACTIONS:
        raise Denied(422, "Invalid request. No more than 3 actions are allowed.")
    output = body.get("output")
    if output is not None:
        run.annotations.extend(_checked_annotations(output))
        run.output = {key: output[key] for key in ("title", "summary", "text") if key in output}
    run.actions = body.get("actions") or run.actions
    run.external_id = body.get("external_id", run.external_id)
    run.details_url = body.get("details_url", run.details_url)
    run.status = body.get("status", run.status)
    if body.get("conclusion") is not None:
        run.conclusion, run.status, run.completed_at = (
            body["conclusion"],
            "completed",
            body.get("completed_at", stamp()),
        )
    elif run.status == "completed" and run.conclusion is None:
        raise Denied(422, "Invalid request. Conclusion is required when status is completed.")


def _check_words(body: dict[str, Any]) -> None:
    if body.get("conclusion") is not None and body["conclusion"] not in _CONCLUSIONS:
        raise Denied(422, "Invalid request. conclusion is not a member of its list.")
    if body.get("status", "queued") not in _STATUSES:
        raise Denied(422, "Invalid request. status is not a member of its list.")


def _checked_annotations(output: dict[str, Any]) -> list[dict[str, Any]]:
    if not output.get("title") or "summary" not in output:
        raise Denied(422, 'Invalid request. "title" and "summary" are needed in output.')
    for key in ("summary", "text"):
        if len((output.get(key) or "").encode()) > MAX_TEXT_BYTES:
            raise Denied(
                422,
                f"Invalid request. Only {MAX_TEXT_BYTES} characters are allowed; {len(output[key].encode())} were supplied.",
            )
    annotations: list[dict[str, Any]] = output.get("annotations") or []
    if len(annotations) > MAX_ANNOTATIONS:
        raise Denied(
            422, f"Invalid request. No more than {MAX_ANNOTATIONS} items are allowed; {len(annotations)} were supplied."
        )
    for one in annotations:
        missing = [key for key in ("path", "start_line", "end_line", "annotation_level", "message") if not one.get(key)]
        if missing or one["annotation_level"] not in _LEVELS or one["end_line"] < one["start_line"]:
            raise Denied(422, f"Invalid request. An annotation is not valid: {missing}")
        if len(one.get("title") or "") > 255 or len(one["message"].encode()) > 64 << 10:
            raise Denied(422, "Invalid request. An annotation is too long.")
        if one["start_line"] != one["end_line"] and ("start_column" in one or "end_column" in one):
            raise Denied(422, "Invalid request. Columns need start_line and end_line to be equal.")
    return annotations
