"""REST routes of check runs, with GitHub's limits on what they hold enforced."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from forgeguard_app.simulator.gate import Denied, Gate, json_body, page_of
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import CheckRun, Repository, World, stamp

MAX_ANNOTATIONS = 50
MAX_TEXT_BYTES = 65_535
MAX_ACTIONS = 3
_CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "skipped", "success", "timed_out")
_STATUSES = ("queued", "in_progress", "completed")
_LEVELS = ("notice", "warning", "failure")


class CheckRoutes:
    """Handlers of a repository's check runs."""

    def __init__(self, world: World, shapes: Shapes, gate: Gate) -> None:
        self.world, self.shapes, self.gate = world, shapes, gate

    async def get_repository(self, request: web.Request) -> web.Response:
        shape = self.shapes.repository(self.gate.repository(request))
        del shape["has_downloads"]  # webhooks carry it, the REST API no longer does
        return web.json_response(shape)

    async def create_check_run(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "checks", write=True)
        body = await json_body(request)
        name, sha = body.get("name"), body.get("head_sha")
        if not isinstance(name, str) or not name or not isinstance(sha, str):
            raise Denied(422, 'Invalid request.\n\n"name", "head_sha" weren\'t supplied.')
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
            raise Denied(422, f"No commit found for SHA: {sha}") from None

    def _run(self, request: web.Request, repository: Repository) -> CheckRun:
        run = self.world.check_runs.get(int(request.match_info["id"]))
        if run is None or run.repository_id != repository.id:
            raise Denied(404, "Not Found")
        return run

    async def get_check_run(self, request: web.Request) -> web.Response:
        return web.json_response(self.shapes.check_run(self._run(request, self.gate.repository(request, "checks"))))

    async def update_check_run(self, request: web.Request) -> web.Response:
        run = self._run(request, self.gate.repository(request, "checks", write=True))
        _apply(run, await json_body(request))
        run.writes += 1
        return web.json_response(self.shapes.check_run(run))

    async def list_annotations(self, request: web.Request) -> web.Response:
        run = self._run(request, self.gate.repository(request, "checks"))
        return web.json_response([self.shapes.annotation(run, one) for one in page_of(request, run.annotations)])

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
