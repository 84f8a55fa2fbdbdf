"""The context of a worker's flows: opened connections, and the timings of the work."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from uuid import UUID

import structlog

from forgeguard_app.builders.network import Network
from forgeguard_app.builders.process import RunBounds
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.flows.context.audit_failures import AuditFailures
from forgeguard_app.flows.context.audit_links import sign_audit
from forgeguard_app.flows.context.find_home import find_home
from forgeguard_app.flows.context.token_pauses import TokenPauses
from forgeguard_app.flows.context.web_context import notice_key
from forgeguard_app.git.mirror import MAX_BYTES, MAX_TOTAL_BYTES
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client
from forgeguard_app.github.limits import Limits
from forgeguard_app.github.repo_access import RepoAccess
from forgeguard_app.github.tokens import AUDIT, TokenCache
from forgeguard_app.notices import Notices
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.installations import Installation
from forgeguard_app.store.locks import Locks
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.repos import Repo, set_full_name
from forgeguard_app.vault import Signer

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Timings:
    """Every wait of the work, in seconds; a rehearsal runs the same work faster."""

    audit_s: float = 1_800.0  # for a whole audit, with what is fetched for it
    quick_s: float = 2.0  # an audit that takes longer is shown as in progress
    settle_s: float = 11.0  # GitHub ends a request of its own after 10 s: what it did is certain then
    lag_s: float = 5.0  # how long GitHub may not know a token or a repository yet
    commit_lag_s: float = 60.0  # how long a pushed commit may not be readable yet
    retry_s: float = 0.5  # the first wait after a transient fault; it doubles
    longest_retry_s: float = 300.0
    poll_s: float = 1.0  # for jobs that fall due; new ones announce themselves
    heartbeat_s: float = 2.0
    stalled_s: float = 7.0
    sweep_s: float = 2.0
    reconcile_s: float = 180.0
    stranded_s: float = 300.0
    patience_s: float = 20.0  # a delivery so young may still be on its way
    heads_s: float = 3_600.0  # how often a repository's heads are compared with our verdicts
    resync_s: float = 3_600.0
    disk_s: float = 5.0  # how often the disk under the mirrors is looked at


_INTERPRETERS = ("env", "sh", "bash", "dash", "zsh", "python", "python3", "node", "npx", "uvx", "uv")


class EventCounters:
    """Counts of this process since it last wrote them down."""

    def __init__(self) -> None:
        self._new: Counter[tuple[str, str]] = Counter()

    def add(self, name: str, label: str = "", number: int = 1) -> None:
        """Count something that happened."""
        self._new[name, label] += number

    def pop_all(self) -> dict[tuple[str, str], int]:
        """Return the counts, and forget them."""
        taken, self._new = dict(self._new), Counter()
        return taken


@dataclass(frozen=True)
class Builder:
    """The builder: the operator's command with the environment that it may have, or, without one, the built-in builder.

    `owners` are the accounts, by GitHub's ids, that may build with the command; None for everybody.
    """

    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    unconfined: bool = False
    bounds: RunBounds = field(default_factory=RunBounds)
    owners: frozenset[int] | None = None
    network: Network = Network.OUTSIDE
    folders: tuple[str, ...] = ()  # and files of the machine that a confined command sees beside the system

    def serves(self, accounts: Collection[int]) -> bool:
        """Return whether one of the accounts may build with the command."""
        return self.owners is None or not self.owners.isdisjoint(accounts)

    @property
    def name(self) -> str:
        """Return the builder's name, as pages show it."""
        names = [Path(part).name for part in self.command]
        # A script is called after itself, not after what reads it.
        return (
            next((name for name in names if name not in _INTERPRETERS and not name.startswith("-")), names[0])
            if names
            else "built-in"
        )

    def __repr__(self) -> str:
        return f"Builder({self.name})"


@dataclass(frozen=True)
class WorkerContext:
    """The database, GitHub, the evaluator, and where things are."""

    pool: Pool
    client: Client
    app: AppAccess
    tokens: TokenCache
    evaluator: Evaluator
    home: Path
    github_url: str
    address: str
    links: Signer
    notice_keys: Signer
    notices: Notices = field(default_factory=Notices)
    timings: Timings = field(default_factory=Timings)
    limits: Limits = field(default_factory=Limits)
    counts: EventCounters = field(default_factory=EventCounters)
    builder: Builder = field(default_factory=Builder)
    building: set[UUID] = field(default_factory=set)
    suspect: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by the one run that may have killed a worker
    audit_failures: AuditFailures = field(default_factory=AuditFailures)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # set once the worker was told to stop
    mirror_max_bytes: int = MAX_BYTES  # of the disk, for each repository
    mirrors_max_bytes: int = MAX_TOTAL_BYTES  # and for all of them
    signs_links: bool = False  # where the App has no OAuth credentials

    def __post_init__(self) -> None:
        """Share the pauses of tokens with all other processes."""
        self.tokens.shared = TokenPauses(self.pool)

    @cached_property
    def locks(self) -> Locks:
        """The names that this process holds against all others."""
        return Locks(self.pool)

    def audit_link(self, run: AuditRun, repo: Repo) -> str:
        """Return the address of a run's page; signed where people cannot sign in to see it."""
        signature = f"?signature={sign_audit(self.links, run, repo)}" if self.signs_links else ""
        return f"{self.address}/audits/{run.id}{signature}"

    def notice_key(self, installation: Installation) -> str:
        """With what the notices to the installation's owner are signed; the owner's page shows it."""
        return notice_key(self.notice_keys, installation.github_installation_id)

    def access(self, installation: Installation, repo: Repo, permissions: dict[str, str] | None = None) -> RepoAccess:
        """Return the repository as the installation sees it."""
        number, github_id = installation.github_installation_id, repo.github_repo_id
        access = RepoAccess(self.client, self.tokens, number, github_id, repo.full_name, permissions or AUDIT)
        access.moved = partial(self._store_name, repo.id)
        access.left = partial(find_home, self.pool, self.app, self.tokens, repo, number)
        return access

    async def _store_name(self, repo_id: UUID, full_name: str) -> None:
        """Keep the name that GitHub gave for the repository's id: its event was lost, or is still on its way."""
        async with self.pool.acquire() as connection:
            await set_full_name(connection, repo_id, full_name)
        log.warning("repo.renamed", repo_id=str(repo_id), full_name=full_name)
