"""Git's smart HTTP over `git http-backend`, with the token checked; pushes become webhooks."""

from __future__ import annotations

import asyncio
import base64
import gzip
import os
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from forgeguard_app.processes import OutputTooLarge, ProgramTimeout, run_program
from forgeguard_app.simulator.faults import GIT
from forgeguard_app.simulator.people import People
from forgeguard_app.simulator.rules import Denied, RefusalRule
from forgeguard_app.simulator.shapes import Shapes
from forgeguard_app.simulator.state import Repository, Token, World

BACKEND_TIMEOUT_S = 120
MAX_BODY_BYTES = 2 << 30
MAX_COMMITS = 2_048
SERVICES = ("git-upload-pack", "git-receive-pack")
ZERO = "0" * 40
SLOW_S = 0.2
OnPush = Callable[[Repository, dict[str, Any]], Awaitable[None]]
_ENV = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "LC_ALL": "C",
    "HOME": "/nonexistent",
}


async def git(folder: object, *arguments: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> bytes:
    """git's output in a bare repository of the world."""
    done = await run_program(
        ["git", f"--git-dir={folder}", *arguments],
        env={**_ENV, **(env or {})},
        stdin=stdin or b"",
        timeout_s=BACKEND_TIMEOUT_S,
        max_bytes=MAX_BODY_BYTES,
    )
    if done.status:
        raise RuntimeError(f"git {' '.join(arguments[:4])}: {done.err.decode('utf-8', 'replace')}")
    return done.out


async def make_folder(repository: Repository) -> None:
    """Make the bare repository behind a new Repository, set up as GitHub's are."""
    repository.folder.parent.mkdir(parents=True, exist_ok=True)
    await git(
        repository.folder,
        "init",
        "--quiet",
        "--bare",
        f"--initial-branch={repository.default_branch}",
        str(repository.folder),
    )
    lines = [
        "[http]\n\treceivepack = true\n",
        "[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n",
        "[receive]\n\tdenyDeleteCurrent = ignore\n\tfsckObjects = false\n",
        "[gc]\n\tauto = 0\n",
    ]
    with (repository.folder / "config").open("a") as file:
        file.write("".join(lines))


async def read_refs(repository: Repository) -> dict[str, str]:
    """Return every reference and what it points to."""
    out = await git(repository.folder, "for-each-ref", "--format=%(refname) %(objectname)")
    return dict(line.split(" ") for line in out.decode("utf-8", "surrogateescape").splitlines())


class GitFace:
    """`/{owner}/{repo}.git/…`."""

    def __init__(self, world: World, shapes: Shapes, on_push: OnPush, people: People) -> None:
        self.world, self.shapes, self.on_push, self.people = world, shapes, on_push, people

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request of a git client."""
        full_name = f"{request.match_info['owner']}/{request.match_info['repo']}"
        repository = self.world.find_repository(full_name)
        if repository is None and (moved := self.world.moved.get(full_name.lower())) is not None:
            new_name = self.world.repositories[moved].full_name
            raise web.HTTPMovedPermanently(f"/{new_name}.git/{request.match_info['tail']}?{request.query_string}")
        writes = "git-receive-pack" in request.path_qs
        try:
            repository = self._admit(request, repository, writes=writes)
            _check_service(request)
        except Denied as denied:
            asks = {"WWW-Authenticate": 'Basic realm="GitHub"'} if denied.status == HTTPStatus.UNAUTHORIZED else {}
            return web.Response(status=denied.status, text=denied.message, headers=denied.headers | asks)
        plays = not writes or (self.world.faults is not None and self.world.faults.of_pushes)
        if plays and (spoilt := await self._spoilt(request, repository)) is not None:
            return spoilt
        before = await read_refs(repository) if request.method == "POST" and writes else {}
        response = await self._backend(request, repository)
        if request.method == "POST" and writes:
            await self._announce(repository, before, await read_refs(repository))
        return response

    def _admit(self, request: web.Request, repository: Repository | None, *, writes: bool) -> Repository:
        """Return the repository where who asks may fetch or push.

        Raises:
            Denied: they may not.
        """
        header = request.headers.get("Authorization")
        if header is None:
            if writes:
                raise Denied(RefusalRule.GIT_ANONYMOUS_PUSH)
            if repository is None or repository.private:
                raise Denied(RefusalRule.GIT_PRIVATE)
            return repository
        password = _password(header)
        token, user = self.world.tokens.get(password), self.people.tokens.get(password)
        if password == self.world.user_token or (user is not None and user.expires_at >= self.world.now()):
            if repository is None:
                raise Denied(RefusalRule.GIT_UNKNOWN)
            return repository
        if token is None or self.world.now() - token.minted_at < self.world.token_lag_s:
            raise Denied(RefusalRule.GIT_BAD_CREDENTIAL)
        return self._admit_token(token, repository, writes=writes)

    def _admit_token(self, token: Token, repository: Repository | None, *, writes: bool) -> Repository:
        installation = self.world.installations.get(token.installation_id)
        if token.expires_at < self.world.now() or installation is None:
            raise Denied(RefusalRule.GIT_EXPIRED)
        if repository is None:
            raise Denied(RefusalRule.GIT_UNKNOWN)
        if not repository.private and not writes:
            return repository  # any token that holds may read what is public
        if installation.suspended_at is not None:
            raise Denied(RefusalRule.GIT_SUSPENDED)
        if repository.id not in token.repository_ids & installation.repository_ids:
            raise Denied(RefusalRule.GIT_OUTSIDE)
        level = token.permissions.get("contents")
        if level is None:
            raise Denied(RefusalRule.GIT_NO_CONTENTS)
        if writes and level != "write":
            raise Denied(RefusalRule.GIT_READ_ONLY)
        return repository

    async def _spoilt(self, request: web.Request, repository: Repository) -> web.StreamResponse | None:
        """Return the answer of a fault, or that a commit is not known everywhere yet; None where all goes well."""
        if self.world.commit_lag_s and request.method == "POST":
            text = (await request.read()).decode("latin-1")
            for sha in repository.pushed:
                if sha in text and not self.world.is_readable(repository, sha):
                    refusal = f"ERR upload-pack: not our ref {sha}"
                    return web.Response(
                        body=f"{len(refusal) + 4:04x}{refusal}".encode(),
                        content_type="application/x-git-upload-pack-result",
                    )
        faults = self.world.faults
        if faults is None:
            return None
        identity = f"{request.method} {request.match_info['tail']}"
        faults.observe("before", identity)
        match faults.choose("git", identity, GIT):
            case None:
                return None
            case "slow":
                await asyncio.sleep(SLOW_S)
                return None
            case "reset" if request.transport is not None:
                request.transport.abort()
            case "401":
                raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
            case "404":
                raise web.HTTPNotFound(text="Repository not found.")
            case "502-html":
                return web.Response(status=502, text="<html>502</html>", content_type="text/html")
        return web.Response(status=500, text="fault")

    async def _backend(self, request: web.Request, repository: Repository) -> web.StreamResponse:
        writes = "receive-pack" in request.path
        body = await (request.content.read() if writes else request.read())
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        env = _ENV | {
            "GIT_PROJECT_ROOT": str(repository.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{request.match_info['tail']}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": "git",
            "REMOTE_ADDR": "127.0.0.1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        command = ["git", "http-backend"]
        try:
            done = await run_program(
                command, env=env, stdin=body, timeout_s=BACKEND_TIMEOUT_S, max_bytes=MAX_BODY_BYTES
            )
        except (ProgramTimeout, OutputTooLarge) as error:
            return web.Response(status=504, text=str(error))
        head, _, content = done.out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split(" ")[0])
        return web.Response(status=status, body=content, headers=headers)

    async def _announce(self, repository: Repository, before: dict[str, str], after: dict[str, str]) -> None:
        for ref in sorted(before.keys() | after.keys()):
            old, new = before.get(ref, ZERO), after.get(ref, ZERO)
            if old != new and ref.startswith(("refs/heads/", "refs/tags/")):
                repository.pushed[new] = self.world.now()
                await self.on_push(repository, await push_payload(self.shapes, repository, ref, old, new))


def _password(header: str) -> str:
    """Return the password of a Basic header, which is where git carries a token."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        raise Denied(RefusalRule.GIT_BEARER)
    try:
        password = base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        raise Denied(RefusalRule.GIT_BAD_CREDENTIAL) from None
    if password.count(".") == 2 and password.startswith("ey"):
        raise Denied(RefusalRule.GIT_JWT)
    return password


def _check_service(request: web.Request) -> None:
    asked = request.method, request.match_info["tail"]
    if asked == ("GET", "info/refs") and request.query.get("service") in SERVICES:
        return
    if asked not in {("POST", service) for service in SERVICES}:
        raise Denied(RefusalRule.GIT_SERVICE)


async def push_payload(shapes: Shapes, repository: Repository, ref: str, before: str, after: str) -> dict[str, Any]:
    """Return the body of a push event."""
    html = f"{shapes.address}/{repository.full_name}"
    commits = [] if after == ZERO or ref.startswith("refs/tags/") else await _commits(repository, before, after, html)
    forced = False
    if ZERO not in (before, after):
        try:
            await git(repository.folder, "merge-base", "--is-ancestor", before, after)
        except RuntimeError:
            forced = True
    pusher = shapes.world.pusher
    full = shapes.repository(repository)
    body: dict[str, Any] = {
        "ref": ref,
        "before": before,
        "after": after,
        "repository": {
            **full,
            "created_at": int(repository.created_at),
            "pushed_at": int(time.time()),
            "stargazers": 0,
            "master_branch": repository.default_branch,
            "owner": {**full["owner"], "name": repository.owner.login, "email": None},
        },
        "pusher": {"name": pusher.login, "email": f"{pusher.login}@users.noreply.invalid"},
        "sender": shapes.account(pusher),
        "created": before == ZERO,
        "deleted": after == ZERO,
        "forced": forced,
        "base_ref": None,
        "compare": f"{html}/compare/{before[:12]}...{after[:12]}",
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
    }
    if repository.owner.type == "Organization":
        url = f"{shapes.api}/orgs/{repository.owner.login}"
        body["organization"] = {
            "login": repository.owner.login,
            "id": repository.owner.id,
            "node_id": "O",
            "url": url,
            "repos_url": f"{url}/repos",
            "events_url": f"{url}/events",
            "hooks_url": f"{url}/hooks",
            "issues_url": f"{url}/issues",
            "members_url": f"{url}/members{{/member}}",
            "public_members_url": f"{url}/public_members{{/member}}",
            "avatar_url": f"{shapes.address}/avatars/{repository.owner.id}",
            "description": None,
        }
    return body


async def _commits(repository: Repository, before: str, after: str, html: str) -> list[dict[str, Any]]:
    form = "%x1e%H%x1f%T%x1f%an%x1f%ae%x1f%aI%x1f%cn%x1f%ce%x1f%B%x1f"
    excluded = [f"^{before}"] if before != ZERO else []
    out = await git(
        repository.folder,
        "log",
        "--reverse",
        f"--max-count={MAX_COMMITS}",
        "--name-status",
        "--no-renames",
        f"--format={form}",
        after,
        *excluded,
    )
    commits: list[dict[str, Any]] = []
    for entry in out.decode("utf-8", "replace").split("\x1e")[1:]:
        sha, tree, author, author_mail, date, committer, committer_mail, message, files = entry.split("\x1f")
        changed: dict[str, list[str]] = {"A": [], "D": [], "M": []}
        for line in files.strip().split("\n")[:3_000]:
            status, _, path = line.partition("\t")
            changed.setdefault(status[:1], []).append(path)
        commits.append(
            {
                "id": sha,
                "tree_id": tree,
                "distinct": True,
                "message": message.rstrip("\n"),
                "timestamp": date,
                "url": f"{html}/commit/{sha}",
                "author": {"name": author, "email": author_mail or None},
                "committer": {"name": committer, "email": committer_mail or None},
                "added": changed["A"],
                "removed": changed["D"],
                "modified": changed["M"],
            }
        )
    return commits
