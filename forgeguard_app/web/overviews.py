"""Overviews of many repositories, or of a project: what each shows, and the version of it for live updates.

What an overview shows depends on who asks, so that its version is made of the very values that the page shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.builds import Build, list_builds
from forgeguard_app.store.contracts import Contract, list_contracts
from forgeguard_app.store.news import Notified, find_notified
from forgeguard_app.store.overview import (
    GuardedRepo,
    SeenInstallation,
    SeenRepo,
    list_seen,
    list_seen_installations,
    list_seen_of,
)
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.projects import Project
from forgeguard_app.web.states import ShownState, head_states

REPOS = 50  # of a page of the start page
MOST_INSTALLATIONS = 200
MOST_REPOS = 100  # of an installation's page
MOST_BUILDS = 20
VERSION_CHARS = 16


def _version(*shown: object) -> str:
    return hashlib.sha256(repr(shown).encode("utf-8", "backslashreplace")).hexdigest()[:VERSION_CHARS]


@dataclass(frozen=True, slots=True)
class RepositoriesOverview:
    """A page of the repositories that a person sees; the last one says only that there are more."""

    found: Sequence[SeenRepo]
    states: Mapping[UUID, ShownState]

    @property
    def repos(self) -> Sequence[SeenRepo]:
        """Those that the page shows."""
        return self.found[:REPOS]

    @property
    def version(self) -> str:
        """The version of what is shown."""
        return _version(self.found, [self.states[repo.id] for repo in self.repos])


async def read_repositories(connection: Connection, user_id: UUID, after: str = "") -> RepositoriesOverview:
    """Return the repositories that come after a name."""
    found = await list_seen(connection, user_id, after, REPOS + 1)
    return RepositoriesOverview(found, await head_states(connection, {repo.id: repo.run_id for repo in found}))


@dataclass(frozen=True, slots=True)
class InstallationsOverview:
    """The installations of which a person sees a repository."""

    found: Sequence[SeenInstallation]

    @property
    def version(self) -> str:
        """The version of what is shown."""
        return _version(self.found)


async def read_installations(connection: Connection, user_id: UUID) -> InstallationsOverview:
    """Return the installations, by account."""
    return InstallationsOverview(await list_seen_installations(connection, user_id, "", MOST_INSTALLATIONS))


@dataclass(frozen=True, slots=True)
class OneInstallation:
    """An installation with the repositories that a person sees there; the last one says only that there are more."""

    installation: SeenInstallation
    found: Sequence[GuardedRepo]
    states: Mapping[UUID, ShownState]
    notified: Notified | None

    @property
    def repos(self) -> Sequence[GuardedRepo]:
        """Those that the page shows."""
        return self.found[:MOST_REPOS]

    @property
    def version(self) -> str:
        """The version of what is shown."""
        return _version(self.installation, self.found, [self.states[repo.id] for repo in self.repos], self.notified)


async def read_installation(connection: Connection, user_id: UUID, installation: SeenInstallation) -> OneInstallation:
    """Return what its page shows."""
    found = await list_seen_of(connection, user_id, installation.id, MOST_REPOS + 1)
    states = await head_states(connection, {repo.id: repo.run_id for repo in found})
    return OneInstallation(installation, found, states, await find_notified(connection, installation.id, user_id))


@dataclass(frozen=True, slots=True)
class OneProject:
    """A project with its contracts and newest builds."""

    project: Project
    contracts: Mapping[str, Contract]
    builds: Sequence[Build]

    @property
    def version(self) -> str:
        """The version of what is shown."""
        versions = [(kind, contract.version, contract.edited_by) for kind, contract in self.contracts.items()]
        builds = [(build.id, build.status, build.phase, build.builder, build.pull_url) for build in self.builds]
        return _version(self.project, versions, builds)


async def read_project(connection: Connection, project: Project) -> OneProject:
    """Return what its page shows."""
    contracts = {contract.contract_type: contract for contract in await list_contracts(connection, project.id)}
    return OneProject(project, contracts, await list_builds(connection, project.id, None, MOST_BUILDS))
