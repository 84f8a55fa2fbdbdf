"""Files become a pull request; done twice it changes nothing, since the branch is named after what it is for."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import structlog

from forgeguard_app.flows.budget import spending
from forgeguard_app.flows.context import Context
from forgeguard_app.github.client import Refused
from forgeguard_app.github.limits import Need
from forgeguard_app.github.repo_access import RepoAccess

_CONFLICT, _UNPROCESSABLE = 409, 422
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file as it is to be; `blob` is what stands there now, None where it is new."""

    path: str
    text: str
    message: str
    blob: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The pull request: from a new branch `name` at commit `sha` onto `base`."""

    name: str
    sha: str
    base: str
    title: str
    body: str
    files: Sequence[NewFile]


async def open_pull(context: Context, access: RepoAccess, wanted: Wanted) -> str | None:
    """Opens it, and gives its address; None where GitHub does not say, since it was there before.

    Raises:
        Temporary: a passing fault, or no room in the installation's limits.
        Refused: GitHub does not let us.
    """
    steps = 2 + len(wanted.files)
    async with spending(context, access, Need(steps, steps, final=False)):
        await _unless_there(access, "POST", "/git/refs", {"ref": f"refs/heads/{wanted.name}", "sha": wanted.sha})
        for file in wanted.files:
            body: dict[str, Any] = {
                "message": file.message,
                "content": base64.b64encode(file.text.encode("utf-8", "replace")).decode(),
                "branch": wanted.name,
            }
            if file.blob is not None:
                body["sha"] = file.blob
            await _unless_there(access, "PUT", f"/contents/{quote(file.path)}", body)
        said = {"title": wanted.title, "head": wanted.name, "base": wanted.base, "body": wanted.body}
        made = await _unless_there(access, "POST", "/pulls", said)
    return str(made["html_url"]) if made and made.get("html_url") else None


async def _unless_there(access: RepoAccess, method: str, path: str, body: dict[str, Any]) -> Any:
    """One step; GitHub refuses what an earlier attempt did already."""
    try:
        return await access.ask(method, path, body)
    except Refused as error:
        if error.status not in (_CONFLICT, _UNPROCESSABLE):
            raise
        log.info("pull.step_refused", step=path, reason=str(error)[:200])
        return None
