"""REST routes of check runs, with GitHub's limits on what they hold enforced."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from forgeguard_app.simulator.bodies import CREATE_CHECK_RUN, UPDATE_CHECK_RUN, checked_body
from forgeguard_app.simulator.gate import RequestGate, page_of
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.rules import Denied, RefusalRule
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import CheckRun, Repository, World, stamp


class CheckRoutes:
    """Handlers of a repository's check runs."""

    def __init__(self, world: World, shapes: Shapes, gate: RequestGate) -> None:
        self.world, self.shapes, self.gate = world, shapes, gate

    async def get_repository(self, request: web.Request) -> web.Response:
        shape = self.shapes.repository(self.gate.repository(request))
        del shape["has_downloads"]  # webhooks carry it, the REST API no longer does
        return web.json_response(shape)

    async def create_check_run(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "checks", write=True)
        body = await checked_body(request, CREATE_CHECK_RUN)
        name, sha = body["name"], body["head_sha"]
        _check_meaning(body)
        await self._check_commit(repository, sha)
        run = CheckRun(
            self.world.next_id(),
            repository.id,
            sha,
            name,
            self.world.suite_of(repository.id, sha),
            started_at=stamp(self.world.now()),
        )
        _apply(run, body)
        self.world.check_runs[run.id] = run
        return web.json_response(self.shapes.check_run(run), status=201)

    async def _check_commit(self, repository: Repository, sha: str) -> None:
        try:
            if not self.world.is_readable(repository, sha):
                raise RuntimeError("not yet")
            await git(repository.folder, "cat-file", "-e", f"{sha}^{{commit}}")
        except RuntimeError:
            raise Denied(RefusalRule.NO_COMMIT, sha=sha) from None

    def _run(self, request: web.Request, repository: Repository) -> CheckRun:
        run = self.world.check_runs.get(int(request.match_info["id"]))
        if run is None or run.repository_id != repository.id:
            raise Denied(RefusalRule.UNKNOWN_RUN)
        return run

    async def get_check_run(self, request: web.Request) -> web.Response:
        return web.json_response(self.shapes.check_run(self._run(request, self.gate.repository(request, "checks"))))

    async def update_check_run(self, request: web.Request) -> web.Response:
        run = self._run(request, self.gate.repository(request, "checks", write=True))
        body = await checked_body(request, UPDATE_CHECK_RUN)
        _check_meaning(body)
        _apply(run, body)
        run.writes += 1
        return web.json_response(self.shapes.check_run(run))

    async def list_annotations(self, request: web.Request) -> web.Response:
        run = self._run(request, self.gate.repository(request, "checks"))
        return web.json_response(
            [self.shapes.annotation(run, annotation) for annotation in page_of(request, run.annotations)]
        )

    async def list_check_runs(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "checks")
        sha = request.match_info["ref"]
        everything = request.query.get("filter", "latest") == "all"
        runs = self.world.runs_of(repository.id, sha) if everything else self.world.latest_runs(repository.id, sha)
        if name := request.query.get("check_name"):
            runs = [run for run in runs if run.name == name]
        shown = [self.shapes.check_run(run) for run in page_of(request, runs)]
        return web.json_response({"total_count": len(runs), "check_runs": shown})


def _apply(run: CheckRun, body: dict[str, Any]) -> None:
    """Take what a create or an update says."""
    output = body.get("output")
    if output is not None:
        run.annotations.extend(output.get("annotations", []))
        run.output = {key: output[key] for key in ("title", "summary", "text") if key in output}
    run.name = body.get("name", run.name)
    run.actions = body.get("actions") or run.actions
    run.external_id = body.get("external_id", run.external_id)
    run.details_url = body.get("details_url", run.details_url)
    run.started_at = body.get("started_at", run.started_at)
    run.status = body.get("status", run.status)
    if "conclusion" in body:
        run.conclusion, run.status = body["conclusion"], "completed"
        run.completed_at = body.get("completed_at", stamp())


def _check_meaning(body: dict[str, Any]) -> None:
    """Refuse what fits the schema and still says nothing."""
    if body.get("status") == "completed" and "conclusion" not in body:
        raise Denied(RefusalRule.NO_CONCLUSION)
    if urlsplit(body.get("details_url", "https://host")).scheme not in ("http", "https"):
        message = "details_url must use the http or https scheme"
        wrong = {"resource": "CheckRun", "code": "custom", "field": "details_url", "message": message}
        raise Denied(RefusalRule.BAD_DETAILS_URL, errors=[wrong])
    for annotation in body.get("output", {}).get("annotations", []):
        if annotation["end_line"] < annotation["start_line"]:
            raise Denied(RefusalRule.ENDS_BEFORE_START)
        if annotation["start_line"] != annotation["end_line"] and not annotation.keys().isdisjoint(
            ("start_column", "end_column")
        ):
            raise Denied(RefusalRule.COLUMNS_OVER_LINES)
        if annotation["path"].startswith("/") or ".." in annotation["path"].split("/") or "\0" in annotation["path"]:
            raise Denied(RefusalRule.BAD_PATH)
