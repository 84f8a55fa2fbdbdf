"""The one gate in front of everything that belongs to a repository: who may not see it learns not even that it is
there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID

from aiohttp import web

from forgeguard_app.flows.context.audit_links import opens_audit
from forgeguard_app.flows.people.repo_access import AccessLevel, level_of
from forgeguard_app.store.audits import AuditRun, find_run
from forgeguard_app.store.builds import Build, find_build
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.projects import Project, find_project
from forgeguard_app.store.repos import Repo, find_repo, find_repo_named, get_repo
from forgeguard_app.store.states import InstallationStatus
from forgeguard_app.web.keys import context_of
from forgeguard_app.web.session import find_person

_ABSENT = "There is no such page, or you may not see it."
_SUSPENDED = (
    "The App's installation is suspended on GitHub, so that GitHub does not say what you may do here. "
    "An owner of the account can unsuspend it in the account's settings, under GitHub Apps."
)


@dataclass(frozen=True, slots=True)
class RepoView:
    """A repository, and what who asks may do with it."""

    repo: Repo
    level: AccessLevel

    @property
    def may_write(self) -> bool:
        """Return whether who asks may write to the repository."""
        return self.level >= AccessLevel.WRITE


async def open_named(request: web.Request, least: AccessLevel = AccessLevel.PUBLIC) -> RepoView:
    """Return the repository that the address names by owner and name.

    Raises:
        HTTPNotFound: it does not exist, or who asks may not see it; both are answered alike.
        HTTPForbidden: they may see it, and not do this.
    """
    full_name = f"{request.match_info['owner']}/{request.match_info['name']}"
    async with context_of(request).pool.acquire() as connection:
        repo = await find_repo_named(connection, full_name)
    return await _opened(request, repo, least)


async def open_repo(request: web.Request, repo_id: UUID, least: AccessLevel = AccessLevel.PUBLIC) -> RepoView:
    """Return the repository by our key.

    Raises:
        HTTPNotFound, HTTPForbidden: as `open_named`.
    """
    async with context_of(request).pool.acquire() as connection:
        repo = await find_repo(connection, repo_id)
    return await _opened(request, repo, least)


async def open_audit(
    request: web.Request, run_id: UUID, least: AccessLevel = AccessLevel.PUBLIC
) -> tuple[AuditRun, RepoView]:
    """Return the audit and its repository.

    Where nobody can sign in, a signed link opens this one audit as if it were public.

    Raises:
        HTTPNotFound, HTTPForbidden: as `open_named`.
    """
    context, person = context_of(request), await find_person(request)
    async with context.pool.acquire() as connection:
        run = await find_run(connection, run_id)
        repo = None if run is None else await find_repo(connection, run.repo_id)
    level = await level_of(context, person, repo)
    if run is None or repo is None:
        raise web.HTTPNotFound(reason=_ABSENT)
    signature = request.query.get("signature", "") if context.app.oauth is None else ""
    if signature and level == AccessLevel.NONE:  # it may have become private a moment ago, which ends its links
        async with context.pool.acquire() as connection:
            repo = await get_repo(connection, repo.id)
    if signature and opens_audit(context.keys.links, run_id, repo, signature):
        level = max(level, AccessLevel.PUBLIC)
    return run, await _allowed(request, RepoView(repo, level), least)


def id_of(request: web.Request, name: str) -> UUID:
    """Return the key in the address.

    Raises:
        HTTPNotFound: the address holds no valid key.
    """
    try:
        return UUID(request.match_info[name])
    except ValueError:
        raise web.HTTPNotFound(reason=_ABSENT) from None


async def _opened(request: web.Request, repo: Repo | None, least: AccessLevel) -> RepoView:
    person = await find_person(request)
    level = await level_of(context_of(request), person, repo)
    if repo is None:
        raise web.HTTPNotFound(reason=_ABSENT)
    return await _allowed(request, RepoView(repo, level), least)


async def _allowed(request: web.Request, view: RepoView, least: AccessLevel) -> RepoView:
    if view.level == AccessLevel.NONE:
        raise web.HTTPNotFound(reason=_ABSENT)
    if view.level < least:
        if await _is_suspended(request, view.repo):
            raise web.HTTPForbidden(reason=_SUSPENDED)
        may = "write to" if least >= AccessLevel.WRITE else "have a role in"
        raise web.HTTPForbidden(reason=f"This is for those who {may} the repository on GitHub.")
    return view


async def _is_suspended(request: web.Request, repo: Repo) -> bool:
    if repo.installation_id is None:
        return False
    async with context_of(request).pool.acquire() as connection:
        installation = await find_installation(connection, repo.installation_id)
    return installation is not None and installation.status == InstallationStatus.SUSPENDED


@dataclass(frozen=True, slots=True)
class SeenProject:
    """A project, and what who asks may do with it; `sees_code` whether they see something of its repository today."""

    project: Project
    level: AccessLevel
    sees_code: bool
    may_decide: bool  # whether they are an admin of its repository: the boundaries decide verdicts there

    @property
    def may_write(self) -> bool:
        """Return whether who asks may change it."""
        return self.level >= AccessLevel.WRITE


class Own(Enum):
    """The rule for a project's creator."""

    NO = auto()  # the repository decides
    ENOUGH = auto()  # its maker may, and those whom the repository lets
    ALONE = auto()  # its maker may, and nobody else


async def open_project(
    request: web.Request, project_id: UUID, least: AccessLevel = AccessLevel.READ, *, own: Own = Own.NO
) -> SeenProject:
    """Return the project, for its maker and for those whom GitHub lets into its repository.

    Its contracts apply to the repository and are proposed there, so its maker too writes only while GitHub lets them
    write; `own` says where being its maker is enough, or needed.

    Raises:
        HTTPNotFound: it does not exist, or who asks may not see it; both are answered alike.
        HTTPForbidden: they may see it, and not do this.
    """
    context, person = context_of(request), await find_person(request)
    async with context.pool.acquire() as connection:
        project = await find_project(connection, project_id) if person is not None else None
        repo = await find_repo(connection, project.repo_id) if project is not None and project.repo_id else None
    of_repo = await level_of(context, person, repo)
    if project is None or person is None:
        raise web.HTTPNotFound(reason=_ABSENT)
    of_repo = AccessLevel.ADMIN if repo is None else of_repo
    is_maker = project.user_id == person.user_id
    if is_maker:
        level = AccessLevel.ADMIN if own is not Own.NO or of_repo >= AccessLevel.WRITE else AccessLevel.READ
    else:
        level = of_repo if repo is not None and of_repo >= AccessLevel.READ else AccessLevel.NONE
    if level == AccessLevel.NONE:
        raise web.HTTPNotFound(reason=_ABSENT)
    if level < least:
        raise web.HTTPForbidden(reason="This is for those who write to the project's repository on GitHub.")
    if own is Own.ALONE and not is_maker:
        raise web.HTTPForbidden(reason="This is for the person who created the project alone.")
    # A repository that was removed may come back, and its project's boundaries with it.
    may_decide = of_repo >= AccessLevel.ADMIN and (repo is not None or project.repo_id is None)
    return SeenProject(project, level, repo is not None and of_repo > AccessLevel.NONE, may_decide)


async def administers(request: web.Request, repo: Repo | None) -> bool:
    """Return whether who asks is an admin of the repository; True without a repository."""
    return repo is None or await level_of(context_of(request), await find_person(request), repo) >= AccessLevel.ADMIN


async def find_writable(request: web.Request, full_name: str) -> Repo | None:
    """Return the guarded repository of that name, if who asks may write to it; None otherwise."""
    context, person = context_of(request), await find_person(request)
    async with context.pool.acquire() as connection:
        repo = await find_repo_named(connection, full_name.strip())
    return repo if await level_of(context, person, repo) >= AccessLevel.WRITE else None


async def open_build(
    request: web.Request, build_id: UUID, least: AccessLevel = AccessLevel.READ
) -> tuple[Build, SeenProject]:
    """Return the build and its project; its log may tell of the repository in which it built, whatever the project is
    linked to now.

    Raises:
        HTTPNotFound, HTTPForbidden: as `open_project`.
    """
    context, person = context_of(request), await find_person(request)
    async with context.pool.acquire() as connection:
        build = await find_build(connection, build_id)
        repo = await find_repo(connection, build.repo_id) if build is not None and build.repo_id else None
    if build is None:
        await level_of(context, person, None)
        raise web.HTTPNotFound(reason=_ABSENT)
    view = await open_project(request, build.project_id, least)
    # Where the repository left, GitHub cannot be asked who may see it.
    if build.repo_id is not None and (repo is None or await level_of(context, person, repo) == AccessLevel.NONE):
        raise web.HTTPNotFound(reason=_ABSENT)
    return build, view


async def refuse_who_may_not_push(request: web.Request, build: Build) -> None:
    """Refuse who may not write to the build's repository today, whatever they may do with its project.

    Raises:
        HTTPForbidden: they may not write to it.
    """
    context, person = context_of(request), await find_person(request)
    async with context.pool.acquire() as connection:
        repo = await find_repo(connection, build.repo_id) if build.repo_id else None
    if repo is None or await level_of(context, person, repo) < AccessLevel.WRITE:
        raise web.HTTPForbidden(reason="Only who may write to the build's repository approves its changes.")
