"""REST routes of a repository's pull requests, references and files."""

from __future__ import annotations

import base64
import os
import tempfile

from aiohttp import web

from forgeguard_app.simulator.bodies import CREATE_PULL, CREATE_REF, PUT_FILE, checked_body
from forgeguard_app.simulator.gate import RequestGate, next_link, page_of
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.rules import Denied, RefusalRule
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import Repository, World

_IDENTITY = ("-c", "user.name=GitHub", "-c", "user.email=noreply@github.invalid")


class ContentRoutes:
    """Handlers that read and write what a repository holds."""

    def __init__(self, world: World, shapes: Shapes, gate: RequestGate) -> None:
        self.world, self.shapes, self.gate = world, shapes, gate

    async def list_pulls(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "pull_requests")
        wanted = request.query.get("state", "open")
        found = [
            self.shapes.pull(pull)
            for pull in self.world.pulls.values()
            if pull.repository_id == repository.id
            and wanted in (pull.state, "all")
            and pull.id not in self.world.unlisted
        ]
        return web.json_response(page_of(request, found), headers=next_link(request, self.shapes.api, len(found)))

    async def get_pull(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "pull_requests")
        pull = self.world.pulls.get((repository.id, int(request.match_info["number"])))
        if pull is None:
            raise Denied(RefusalRule.UNKNOWN_PULL)
        return web.json_response(self.shapes.whole_pull(pull))

    async def list_rules(self, request: web.Request) -> web.Response:
        """Return the rules that hold for a branch; only the default branch has any."""
        repository = self.gate.repository(request)
        names = (
            repository.required.get("ruleset", []) if request.match_info["branch"] == repository.default_branch else []
        )
        return web.json_response(self.shapes.rules(repository, names) if names else [])

    async def list_branches(self, request: web.Request) -> web.Response:
        """List the branches, with `protected=true` the protected ones; only the default branch can be one."""
        repository = self.gate.repository(request, "contents")
        names = repository.required.get("protection", [])
        out = await git(repository.folder, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
        listed = [
            self.shapes.protected_branch(repository, sha, names)
            if names and branch == repository.default_branch
            else self.shapes.branch(repository, branch, sha)
            for sha, _, branch in (line.partition(" ") for line in out.decode("utf-8", "replace").splitlines())
        ]
        if request.query.get("protected") == "true":
            listed = [branch for branch in listed if branch["protected"]]
        return web.json_response(page_of(request, listed), headers=next_link(request, self.shapes.api, len(listed)))

    async def create_pull(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "pull_requests", write=True)
        body = await checked_body(request, CREATE_PULL)
        head, base = body["head"].removeprefix(f"{repository.owner.login}:"), body["base"]
        for known in self.world.pulls.values():
            if (known.repository_id, known.head_ref, known.base_ref, known.state) == (
                repository.id,
                head,
                base,
                "open",
            ):
                message = f"A pull request already exists for {repository.owner.login}:{head}."
                raise Denied(RefusalRule.PULL_EXISTS, errors=[_wrong(code="custom", message=message)])
        sha, onto = await _tip(repository, head), await _tip(repository, base)
        if sha is None:
            raise Denied(RefusalRule.BAD_HEAD, errors=[_wrong(field="head", code="invalid")])
        if onto is None:
            raise Denied(RefusalRule.BAD_BASE, errors=[_wrong(field="base", code="invalid")])
        if not await git(repository.folder, "rev-list", "-n1", sha, f"^{onto}"):
            message = f"No commits between {base} and {head}"
            raise Denied(RefusalRule.NOTHING_TO_PULL, errors=[_wrong(code="custom", message=message)])
        pull = self.world.add_pull(repository, head, sha, base, title=body["title"])
        pull.body = body.get("body") or ""
        return web.json_response(self.shapes.pull(pull), status=201)

    async def create_ref(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "contents", write=True)
        body = await checked_body(request, CREATE_REF)
        ref, sha = body["ref"], body["sha"]
        if not ref.startswith("refs/") or not await _succeeds(repository, "check-ref-format", ref):
            raise Denied(RefusalRule.BAD_REF)
        if not await _succeeds(repository, "cat-file", "-e", sha):
            raise Denied(RefusalRule.NO_OBJECT)
        if not await _succeeds(repository, "update-ref", ref, sha, "0" * 40):
            raise Denied(RefusalRule.REF_EXISTS)
        url = f"{self.shapes.api}/repos/{repository.full_name}/git"
        body = {
            "ref": ref,
            "node_id": "REF",
            "url": f"{url}/{ref}",
            "object": {"sha": sha, "type": "commit", "url": f"{url}/commits/{sha}"},
        }
        return web.json_response(body, status=201)

    async def get_file(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "contents")
        path, ref = request.match_info["path"], request.query.get("ref", repository.default_branch)
        try:
            blob = (await git(repository.folder, "rev-parse", "--verify", f"{ref}:{path}")).decode().strip()
            data = await git(repository.folder, "cat-file", "blob", blob)
        except RuntimeError:
            raise Denied(RefusalRule.NO_FILE) from None
        return web.json_response(self.shapes.file(repository, path, blob, data))

    async def put_file(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "contents", write=True)
        path, body = request.match_info["path"], await checked_body(request, PUT_FILE)
        if (
            path.startswith(".github/workflows/")
            and self.gate.token(request)[0].permissions.get("workflows") != "write"
        ):
            raise Denied(RefusalRule.WORKFLOW)
        name = body.get("branch", repository.default_branch)
        branch, tip = f"refs/heads/{name}", await _tip(repository, name)
        if tip is None:
            raise Denied(RefusalRule.NO_BRANCH, branch=name)
        try:
            data = base64.b64decode("".join(body["content"].split()), validate=True)
        except ValueError:
            raise Denied(RefusalRule.NOT_BASE64) from None
        try:
            current = (await git(repository.folder, "rev-parse", "--verify", f"{tip}:{path}")).decode().strip()
        except RuntimeError:
            current = None
        if current != body.get("sha"):
            raise Denied(
                RefusalRule.STALE_SHA if "sha" in body else RefusalRule.SHA_MISSING, path=path, sha=body.get("sha")
            )
        blob = (await git(repository.folder, "hash-object", "-w", "--stdin", stdin=data)).decode().strip()
        tree = await self._tree_with(repository.folder, tip, path, blob)
        out = await git(repository.folder, *_IDENTITY, "commit-tree", tree, "-p", tip, "-m", body["message"])
        commit = out.decode().strip()
        await git(repository.folder, "update-ref", branch, commit, tip)
        answer = {"content": self.shapes.file(repository, path, blob, data), "commit": {"sha": commit}}
        return web.json_response(answer, status=200 if current else 201)

    async def _tree_with(self, folder: object, tip: str, path: str, blob: str) -> str:
        """Return the tree of a commit with one file replaced, through an index of its own."""
        listed = (await git(folder, "ls-tree", "-r", "-z", tip)).split(b"\0")
        kept = [entry for entry in listed if entry and entry.partition(b"\t")[2] != path.encode()]
        index = b"\0".join([*kept, f"100644 blob {blob}\t{path}".encode()]) + b"\0"
        return await tree_of(folder, index)


async def _tip(repository: Repository, branch: str) -> str | None:
    """Return what a branch points to; None where there is no such branch."""
    try:
        out = await git(repository.folder, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
    except RuntimeError:
        return None
    return out.decode().strip()


async def _succeeds(repository: Repository, *arguments: str) -> bool:
    try:
        await git(repository.folder, *arguments)
    except RuntimeError:
        return False
    return True


def _wrong(**fields: str) -> dict[str, str]:
    return {"resource": "PullRequest", **fields}


async def tree_of(folder: object, entries: bytes) -> str:
    """Write the tree that holds these `ls-tree -r -z` entries."""
    with tempfile.TemporaryDirectory(prefix="simulated-index-") as place:
        env = {"GIT_INDEX_FILE": os.path.join(place, "index")}
        await git(folder, "update-index", "-z", "--index-info", stdin=entries, env=env)
        return (await git(folder, "write-tree", env=env)).decode().strip()
