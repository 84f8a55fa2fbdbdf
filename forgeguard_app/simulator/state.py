"""The state of the simulated GitHub: plain values that the HTTP faces read and change."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from forgeguard_app.simulator.faults import Faults

MAX_DELIVERIES = 50_000
TOKEN_LIFE_S = 3_600
PRIMARY_LIMIT = 5_000


@dataclass(frozen=True)
class SecondaryLimits:
    """The secondary limits of an installation; `enforced` off where they would be what is measured."""

    enforced: bool = True
    writes_per_minute: int = 80
    writes_per_hour: int = 500
    minute_s: float = 60.0
    hour_s: float = 3_600.0
    at_once: int = 100
    retry_after_s: int = 60


def stamp(at: float | None = None) -> str:
    """Return a time as GitHub writes it."""
    return datetime.fromtimestamp(time.time() if at is None else at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_key() -> tuple[str, str]:
    """Return an RSA key pair in PEM: private, public."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@dataclass
class Account:
    """A user or an organisation."""

    id: int
    login: str
    type: str = "Organization"


@dataclass
class Repository:
    """A repository and its bare git folder."""

    id: int
    owner: Account
    name: str
    folder: Path
    private: bool = False
    archived: bool = False
    default_branch: str = "main"
    created_at: float = field(default_factory=time.time)
    updated_at: float | None = None  # its settings, name, owner or visibility changed
    private_since: float | None = None  # in seconds of time.monotonic
    pushed: dict[str, float] = field(default_factory=dict)
    required: dict[str, list[str]] = field(default_factory=dict)  # names of checks, by "ruleset" and "protection"

    @property
    def full_name(self) -> str:
        """owner/name."""
        return f"{self.owner.login}/{self.name}"


@dataclass
class App:
    """The App, with the keys and the secret that GitHub knows."""

    id: int
    slug: str
    public_keys: list[str]
    webhook_secret: str
    webhook_url: str
    owner: Account
    client_id: str = "Iv23sim"
    permissions: dict[str, str] = field(
        default_factory=lambda: {
            "checks": "write",
            "contents": "read",
            "merge_queues": "read",
            "metadata": "read",
            "pull_requests": "read",
        }
    )
    events: list[str] = field(default_factory=lambda: ["merge_group", "pull_request", "push", "repository"])
    created_at: float = field(default_factory=time.time)
    name: str = "ForgeGuard"
    client_secret: str = ""
    callback_urls: list[str] = field(default_factory=list)
    setup_url: str | None = None

    @property
    def client_secrets(self) -> tuple[str, ...]:
        """Return the secrets with which the App may trade a code."""
        return (self.client_secret,)


@dataclass
class Installation:
    """The App's presence on an account."""

    id: int
    account: Account
    repository_ids: set[int]
    suspended_at: float | None = None
    permissions: dict[str, str] | None = None  # None: what the App asks for
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    used: int = 0
    at_once: int = 0
    window_start: float = field(default_factory=time.time)
    writes: deque[float] = field(default_factory=deque)


@dataclass
class Token:
    """An installation token."""

    installation_id: int
    expires_at: float
    permissions: dict[str, str]
    repository_ids: set[int]
    minted_at: float = 0.0


@dataclass
class Suite:
    """The check suite of our App on a commit; `opened` where GitHub made it at a push."""

    id: int
    head_branch: str | None = None
    before: str | None = None
    opened: bool = False


@dataclass
class Pull:
    """A pull request; `head_repository` is None for one from a fork that we do not hold."""

    id: int
    number: int
    repository_id: int
    head_ref: str
    head_sha: str
    base_ref: str
    title: str = "A change"
    state: str = "open"
    head_repository_id: int | None = None
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    body: str = ""


@dataclass
class CheckRun:
    """A check run; `output` is what was last said, `annotations` all that were added."""

    id: int
    repository_id: int
    head_sha: str
    name: str
    suite_id: int
    status: str = "queued"
    conclusion: str | None = None
    external_id: str = ""
    details_url: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    output: dict[str, Any] = field(default_factory=dict)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    writes: int = 1


@dataclass
class Delivery:
    """One attempt to deliver a webhook."""

    id: int
    guid: str
    event: str
    action: str | None
    body: bytes
    installation_id: int | None
    repository_id: int | None
    redelivery: bool = False
    delivered_at: str = ""
    arrived: float | None = None  # when it was answered, in seconds of time.monotonic
    duration: float = 0.0
    status_code: int = 0
    status: str = "pending"
    headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""


class World:
    """The whole state, with the ids given out."""

    def __init__(self, folder: Path, limits: SecondaryLimits) -> None:
        self.folder = folder
        self.limits = limits
        self.faults: Faults | None = None
        self.skew_s = 0.0
        self.token_lag_s = self.commit_lag_s = 0.0
        self.crossed: list[str] = []
        self.silent: list[str] = []  # parts of paths below the REST API that answer with 500 for ever
        self.revoked: set[str] = set()
        self.pulls: dict[tuple[int, int], Pull] = {}
        self.accounts: dict[int, Account] = {}
        self.repositories: dict[int, Repository] = {}
        self.moved: dict[str, int] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Token] = {}
        self.check_runs: dict[int, CheckRun] = {}
        self.suites: dict[tuple[int, str], Suite] = {}
        self.unlisted: set[int] = set()  # installations, repositories and pull requests that lists leave out
        self.deliveries: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)
        self.app: App | None = None
        self.user_token = f"ghp_{secrets.token_hex(18)}"
        self.pusher = self.add_account("octo-developer", "User")
        self.requests: list[tuple[str, str]] = []

    _ids = itertools.count(1_000)

    def now(self) -> float:
        """GitHub's time, which need not be ours."""
        return time.time() + self.skew_s

    def next_id(self) -> int:
        """Return an id that was never given out."""
        return next(World._ids)

    def add_account(self, login: str, kind: str = "Organization") -> Account:
        """Return a new account."""
        account = Account(self.next_id(), login, kind)
        self.accounts[account.id] = account
        return account

    def add_repository(self, owner: Account, name: str, *, private: bool = False) -> Repository:
        """Return a new repository; its git folder is made by the git face."""
        number = self.next_id()
        repository = Repository(number, owner, name, self.folder / "git" / f"{number}.git", private)
        repository.created_at = self.now()
        self.repositories[number] = repository
        return repository

    def find_repository(self, full_name: str) -> Repository | None:
        """Return the repository of that present name."""
        return next((r for r in self.repositories.values() if r.full_name.lower() == full_name.lower()), None)

    def add_pull(
        self,
        repository: Repository,
        head_ref: str,
        head_sha: str,
        base_ref: str,
        *,
        fork: bool = False,
        title: str = "",
    ) -> Pull:
        """Return a new pull request; one from a fork has a head repository that we do not hold."""
        number = 1 + max((n for owner, n in self.pulls if owner == repository.id), default=0)
        head = None if fork else repository.id
        pull = Pull(
            self.next_id(), number, repository.id, head_ref, head_sha, base_ref, title or "A change", "open", head
        )
        pull.created_at = pull.updated_at = self.now()
        self.pulls[repository.id, number] = pull
        return pull

    def rename(self, repository: Repository, name: str, *, redirect: bool = True) -> None:
        """Give another name; the old one redirects, unless GitHub forgot it."""
        if redirect:
            self.moved[repository.full_name.lower()] = repository.id
        repository.name, repository.updated_at = name, self.now()

    def transfer(self, repository: Repository, owner: Account) -> None:
        """Give the repository to another account, and to the App's installation there; the old name redirects."""
        self.moved[repository.full_name.lower()] = repository.id
        repository.owner, repository.updated_at = owner, self.now()
        for installation in self.installations.values():
            installation.repository_ids.discard(repository.id)
            if installation.account.id == owner.id:
                installation.repository_ids.add(repository.id)

    def set_private(self, repository: Repository, *, private: bool) -> None:
        """Make the repository private, or public."""
        if private and not repository.private:
            repository.private_since = time.monotonic()
        repository.private, repository.updated_at = private, self.now()

    def installation_of(self, repository_id: int) -> Installation | None:
        """Return the installation that holds the repository."""
        return next((i for i in self.installations.values() if repository_id in i.repository_ids), None)

    def mint(
        self, installation: Installation, repository_ids: set[int], permissions: dict[str, str]
    ) -> tuple[str, Token]:
        """Return a new token."""
        value = f"ghs_{secrets.token_hex(18)}"
        token = Token(installation.id, self.now() + TOKEN_LIFE_S, permissions, repository_ids, self.now())
        self.tokens[value] = token
        return value, token

    def suite_of(self, repository_id: int, sha: str) -> int:
        """Return the check suite of our App on a commit."""
        return self.suites.setdefault((repository_id, sha), Suite(self.next_id())).id

    def queued_suites(self) -> list[tuple[int, str]]:
        """Return the suites that GitHub opened for us and nothing completed yet."""
        done = {(run.repository_id, run.head_sha) for run in self.check_runs.values() if run.status == "completed"}
        return [key for key, suite in self.suites.items() if suite.opened and key not in done]

    def is_readable(self, repository: Repository, sha: str) -> bool:
        """Return whether a pushed commit is known everywhere already."""
        return self.now() - repository.pushed.get(sha, 0.0) >= self.commit_lag_s

    def granted(self, installation: Installation) -> dict[str, str]:
        """Return the permissions that the installation's account granted."""
        asked = self.app.permissions if self.app else {}
        return asked if installation.permissions is None else installation.permissions

    def runs_of(self, repository_id: int, sha: str) -> list[CheckRun]:
        """Return all check runs on a commit, the newest first."""
        found = [run for run in self.check_runs.values() if run.repository_id == repository_id and run.head_sha == sha]
        return sorted(found, key=lambda run: -run.id)

    def latest_runs(self, repository_id: int, sha: str) -> list[CheckRun]:
        """Return the newest check run of each name on a commit, by name."""
        latest: dict[str, CheckRun] = {}
        for run in self.runs_of(repository_id, sha):
            latest.setdefault(run.name, run)
        return [latest[name] for name in sorted(latest)]
