"""REST routes of a repository's pull requests, references and files."""

from __future__ import annotations

import base64
import os
import tempfile

from aiohttp import web

from forgeguard_app.simulator.gate import Denied, Gate, json_body, next_link, page_of
from forgeguard_app.simulator.git_http import git
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import World

_IDENTITY = ("-c", "user.name=GitHub", "-c", "user.email=noreply@github.invalid")


class ContentRoutes:
    """Handlers that read and write what a repository holds."""

    def __init__(self, world: World, shapes: Shapes, gate: Gate) -> None:
        self.world, self.shapes, self.gate = world, shapes, gate

    async def list_pulls(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "pull_requests")
        wanted = request.query.get("state", "open")
        found = [
            self.shapes.pull(one)
            for one in self.world.pulls.values()
            if one.repository_id == repository.id and wanted in (one.state, "all")
        ]
        return web.json_response(page_of(request, found), headers=next_link(request, self.shapes.api, len(found)))

    async def list_rules(self, request: web.Request) -> web.Response:
        """The rules that hold for a branch; only the default branch has any."""
        repository = self.gate.repository(request)
        names = (
            repository.required.get("ruleset", []) if request.match_info["branch"] == repository.default_branch else []
        )
        return web.json_response(self.shapes.rules(repository, names) if names else [])

    async def list_branches(self, request: web.Request) -> web.Response:
        """The protected branches alone, which is what is asked for."""
        repository = self.gate.repository(request, "contents")
        names = repository.required.get("protection", [])
        if request.query.get("protected") != "true":
            raise Denied(422, "the simulator lists protected branches alone")
        if not names:
            return web.json_response([])
        sha = (await git(repository.folder, "rev-parse", f"refs/heads/{repository.default_branch}")).decode().strip()
        return web.json_response([self.shapes.protected_branch(repository, sha, names)])

    async def create_pull(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "pull_requests", write=True)
        body = await json_body(request)
        head, base = str(body.get("head", "")), str(body.get("base", ""))
        for one in self.world.pulls.values():
            if (one.repository_id, one.head_ref, one.base_ref, one.state) == (repository.id, head, base, "open"):
                raise Denied(422, f"Validation Failed: A pull request already exists for {head}.")
        try:
            sha = (await git(repository.folder, "rev-parse", "--verify", f"refs/heads/{head}")).decode().strip()
            await git(repository.folder, "rev-parse", "--verify", f"refs/heads/{base}")
        except RuntimeError:
            raise Denied(422, "Validation Failed: head or base is no branch") from None
        pull = self.world.add_pull(repository, head, sha, base, title=str(body.get("title", "")))
        return web.json_response(self.shapes.pull(pull), status=201)

    async def create_ref(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "contents", write=True)
        body = await json_body(request)
        ref, sha = str(body.get("ref", "")), str(body.get("sha", ""))
        try:
            await git(repository.folder, "update-ref", ref, sha, "0" * 40)
        except RuntimeError:
            raise Denied(422, "Reference already exists") from None
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
            raise Denied(404, "Not Found") from None
        return web.json_response(self.shapes.file(repository, path, blob, data))

    async def put_file(self, request: web.Request) -> web.Response:
        repository = self.gate.repository(request, "contents", write=True)
        path, body = request.match_info["path"], await json_body(request)
        branch = f"refs/heads/{body.get('branch', repository.default_branch)}"
        data = base64.b64decode(str(body.get("content", "")))
        tip = (await git(repository.folder, "rev-parse", branch)).decode().strip()
        try:
            there = (await git(repository.folder, "rev-parse", "--verify", f"{tip}:{path}")).decode().strip()
        except RuntimeError:
            there = None
        if there != body.get("sha"):
            raise Denied(409, f"{path} does not match {body.get('sha')}")
        blob = (await git(repository.folder, "hash-object", "-w", "--stdin", stdin=data)).decode().strip()
        tree = await self._tree_with(repository.folder, tip, path, blob)
        message = str(body.get("message", ""))
        out = await git(repository.folder, *_IDENTITY, "commit-tree", tree, "-p", tip, "-m", message)
        commit = out.decode().strip()
        await git(repository.folder, "update-ref", branch, commit, tip)
        answer = {"content": self.shapes.file(repository, path, blob, data), "commit": {"sha": commit}}
        return web.json_response(answer, status=200 if there else 201)

    async def _tree_with(self, folder: object, tip: str, path: str, blob: str) -> str:
        """The tree of a commit with one file replaced, through an index of its own."""
        listed = (await git(folder, "ls-tree", "-r", "-z", tip)).split(b"\0")
        kept = [entry for entry in listed if entry and entry.partition(b"\t")[2] != path.encode()]
        index = b"\0".join([*kept, f"100644 blob {blob}\t{path}".encode()]) + b"\0"
        return await tree_of(folder, index)


async def tree_of(folder: object, entries: bytes) -> str:
    """Writes the tree that holds these `ls-tree -r -z` entries."""
    with tempfile.TemporaryDirectory(prefix="simulated-index-") as place:
        env = {"GIT_INDEX_FILE": os.path.join(place, "index")}
        await git(folder, "update-index", "-z", "--index-info", stdin=entries, env=env)
        return (await git(folder, "write-tree", env=env)).decode().strip()
