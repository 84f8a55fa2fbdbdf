"""Subjects of live pages: what a part of a page shows, who may follow it, and its version."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from aiohttp import web

from forgeguard_app.flows.know_access import Level
from forgeguard_app.store.builds import find_status
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.trials import find_trial
from forgeguard_app.store.versions import (
    find_audit_version,
    find_build_version,
    find_repo_version,
    find_trial_version,
)
from forgeguard_app.web.access import open_audit, open_build, open_repo
from forgeguard_app.web.keys import FRONT
from forgeguard_app.web.session import PERSON, find_person

MAX_CHARS = 300
_SIGNATURE = re.compile(r"[\w.-]{1,200}", re.ASCII)


class Kind(StrEnum):
    """What a live part can show."""

    AUDIT = "audit"
    BUILD = "build"
    LOG = "log"
    REPO = "repo"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that a page follows; `signature` is that of an audit's signed link."""

    kind: Kind
    id: UUID
    signature: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}" + (f"/{self.signature}" if self.signature else "")


def is_signature(text: str) -> bool:
    """Return whether the text has the form of a signed link's signature."""
    return _SIGNATURE.fullmatch(text) is not None


def read_subject(text: str) -> Subject | None:
    """Return the subject that `text` names; None where it names none."""
    kind, _, rest = text.partition("/")
    key, _, signature = rest.partition("/")
    if kind not in tuple(Kind) or len(text) > MAX_CHARS or (signature and not is_signature(signature)):
        return None
    try:
        return Subject(Kind(kind), UUID(key), signature)
    except ValueError:
        return None


async def open_subject(request: web.Request, subject: Subject) -> UUID:
    """Return the key under which changes of the subject are told: its repository's or its build's.

    Raises:
        HTTPNotFound, HTTPForbidden: it does not exist, or the person may not see it.
    """
    match subject.kind:
        case Kind.AUDIT:
            signed = request.clone(rel_url=request.rel_url.with_query(signature=subject.signature))
            return (await open_audit(signed, subject.id))[1].repo.id
        case Kind.BUILD | Kind.LOG:
            return (await open_build(request, subject.id))[0].id
        case Kind.REPO:
            return (await open_repo(request, subject.id)).repo.id
        case Kind.TRIAL:
            async with request.app[FRONT].pool.acquire() as connection:
                trial = await find_trial(connection, subject.id)
            if trial is None:
                raise web.HTTPNotFound
            return (await open_repo(request, trial.repo_id, Level.READ)).repo.id
        case _:
            assert_never(subject.kind)


async def ask_again(request: web.Request) -> web.Request:
    """Return the request as if it came now: who asks is read again, since they may have signed out."""
    fresh = request.clone()
    fresh.pop(PERSON, None)
    await find_person(fresh)
    return fresh


_READERS: dict[Kind, Callable[[Connection, UUID], Awaitable[str | None]]] = {
    Kind.AUDIT: find_audit_version,
    Kind.BUILD: find_build_version,
    Kind.LOG: find_status,
    Kind.REPO: find_repo_version,
    Kind.TRIAL: find_trial_version,
}


async def find_version(connection: Connection, subject: Subject) -> str | None:
    """Return the subject's version as it is now; None where it is gone."""
    return await _READERS[subject.kind](connection, subject.id)
