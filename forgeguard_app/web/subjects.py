"""Subjects of live pages: what a part of a page shows, who may follow it, and its version."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import assert_never
from uuid import UUID

from aiohttp import web

from forgeguard_app.flows.people.repo_access import AccessLevel, refresh_access
from forgeguard_app.store.builds import find_status
from forgeguard_app.store.overview import list_seen_ids
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.projects import find_project
from forgeguard_app.store.trials import find_trial
from forgeguard_app.store.versions import (
    find_audit_version,
    find_build_version,
    find_repo_version,
    find_trial_version,
)
from forgeguard_app.web.access import open_audit, open_build, open_project, open_repo
from forgeguard_app.web.keys import context_of
from forgeguard_app.web.overviews import read_installation, read_installations, read_project, read_repositories
from forgeguard_app.web.session import PERSON, find_person

MAX_CHARS = 300
MOST_KEYS = 1_000  # repositories whose changes an overview hears of at once
_SIGNATURE = re.compile(r"[\w.-]{1,200}", re.ASCII)


class SubjectKind(StrEnum):
    """A kind of live subject."""

    AUDIT = "audit"
    BUILD = "build"
    LOG = "log"
    REPO = "repo"
    TRIAL = "trial"
    START = "start"  # of a person, by their id
    INSTALLATIONS = "installations"  # of a person, by their id
    INSTALLATION = "installation"
    PROJECT = "project"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that a page follows; `signature` is that of an audit's signed link."""

    kind: SubjectKind
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
    if kind not in tuple(SubjectKind) or len(text) > MAX_CHARS or (signature and not is_signature(signature)):
        return None
    try:
        return Subject(SubjectKind(kind), UUID(key), signature)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Followed:
    """The way a subject is followed: the keys under which its changes are announced, and what reads its version.

    A version that depends on who asks is not shared with others; `is_shared` says whether it is.
    """

    keys: tuple[UUID, ...]
    read: Callable[[Connection], Awaitable[str | None]]
    is_shared: bool = True


async def open_subject(request: web.Request, subject: Subject) -> Followed:
    """Return how the subject is followed.

    Raises:
        HTTPNotFound, HTTPForbidden: it does not exist, or the person may not see it.
    """
    match subject.kind:
        case SubjectKind.AUDIT:
            signed = request.clone(rel_url=request.rel_url.with_query(signature=subject.signature))
            return _by_rows(subject, (await open_audit(signed, subject.id))[1].repo.id)
        case SubjectKind.BUILD | SubjectKind.LOG:
            return _by_rows(subject, (await open_build(request, subject.id))[0].id)
        case SubjectKind.REPO:
            return _by_rows(subject, (await open_repo(request, subject.id)).repo.id)
        case SubjectKind.TRIAL:
            async with context_of(request).pool.acquire() as connection:
                trial = await find_trial(connection, subject.id)
            repo_id = subject.id if trial is None else trial.repo_id  # no repository has a trial's key
            return _by_rows(subject, (await open_repo(request, repo_id, AccessLevel.READ)).repo.id)
        case SubjectKind.PROJECT:
            await open_project(request, subject.id)
            return Followed((subject.id,), lambda connection: _project_version(connection, subject.id))
        case SubjectKind.START | SubjectKind.INSTALLATIONS | SubjectKind.INSTALLATION:
            return await _open_overview(request, subject)
        case _:
            assert_never(subject.kind)


def _by_rows(subject: Subject, key: UUID) -> Followed:
    return Followed((key,), lambda connection: find_version(connection, subject))


async def _open_overview(request: web.Request, subject: Subject) -> Followed:
    """Return how an overview of the person who asks is followed: by the changes of all repositories on it."""
    context, person = context_of(request), await find_person(request)
    if person is None or (subject.kind is not SubjectKind.INSTALLATION and subject.id != person.user_id):
        raise web.HTTPNotFound
    user_id = person.user_id
    await refresh_access(context, user_id)
    read = partial(_READ_OVERVIEWS[subject.kind], user_id=user_id, subject_id=subject.id)
    async with context.pool.acquire() as connection:
        if await read(connection) is None:
            raise web.HTTPNotFound
        repo_ids = await list_seen_ids(connection, user_id, MOST_KEYS)
    return Followed((user_id, *repo_ids), read, is_shared=False)


async def _start_version(connection: Connection, *, user_id: UUID, subject_id: UUID) -> str | None:
    return (await read_repositories(connection, user_id)).version


async def _installations_version(connection: Connection, *, user_id: UUID, subject_id: UUID) -> str | None:
    return (await read_installations(connection, user_id)).version


async def _installation_version(connection: Connection, *, user_id: UUID, subject_id: UUID) -> str | None:
    found = (await read_installations(connection, user_id)).found
    installation = next((item for item in found if item.id == subject_id), None)
    return None if installation is None else (await read_installation(connection, user_id, installation)).version


async def _project_version(connection: Connection, project_id: UUID) -> str | None:
    project = await find_project(connection, project_id)
    return None if project is None else (await read_project(connection, project)).version


_READ_OVERVIEWS = {
    SubjectKind.START: _start_version,
    SubjectKind.INSTALLATIONS: _installations_version,
    SubjectKind.INSTALLATION: _installation_version,
}


async def ask_again(request: web.Request) -> web.Request:
    """Return the request as if it came now: who asks is read again, since they may have signed out."""
    fresh = request.clone()
    fresh.pop(PERSON, None)
    await find_person(fresh)
    return fresh


_READERS: dict[SubjectKind, Callable[[Connection, UUID], Awaitable[str | None]]] = {
    SubjectKind.AUDIT: find_audit_version,
    SubjectKind.BUILD: find_build_version,
    SubjectKind.LOG: find_status,
    SubjectKind.REPO: find_repo_version,
    SubjectKind.TRIAL: find_trial_version,
}


async def find_version(connection: Connection, subject: Subject) -> str | None:
    """Return the subject's version as it is now; None where it is gone."""
    return await _READERS[subject.kind](connection, subject.id)
