"""What the simulated GitHub holds: plain values that the HTTP faces read and change."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

MAX_DELIVERIES = 20_000
TOKEN_LIFE_S = 3_600
PRIMARY_LIMIT = 5_000


def stamp(at: float | None = None) -> str:
    """A time as GitHub writes it."""
    return datetime.fromtimestamp(time.time() if at is None else at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_key() -> tuple[str, str]:
    """An RSA key pair in PEM: private, public."""
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
    default_branch: str = "main"
    created_at: float = field(default_factory=time.time)

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
            "checks": "write", "contents": "read", "merge_queues": "read", "metadata": "read", "pull_requests": "read",
        }
    )  # fmt: skip
    events: list[str] = field(default_factory=lambda: ["merge_group", "pull_request", "push", "repository"])
    created_at: float = field(default_factory=time.time)


@dataclass
class Installation:
    """The App's presence on an account."""

    id: int
    account: Account
    repository_ids: set[int]
    suspended_at: float | None = None
    created_at: float = field(default_factory=time.time)
    used: int = 0
    window_start: float = field(default_factory=time.time)
    writes: deque[float] = field(default_factory=deque)


@dataclass
class Token:
    """An installation token."""

    installation_id: int
    expires_at: float
    permissions: dict[str, str]
    repository_ids: set[int]


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
    duration: float = 0.0
    status_code: int = 0
    status: str = "pending"
    headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""


class World:
    """All of it, with the ids given out."""

    def __init__(self, folder: Path, *, secondary_limits: bool = True) -> None:
        self.folder = folder
        self.secondary_limits = secondary_limits
        self.accounts: dict[int, Account] = {}
        self.repositories: dict[int, Repository] = {}
        self.moved: dict[str, int] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Token] = {}
        self.check_runs: dict[int, CheckRun] = {}
        self.suites: dict[tuple[int, str], int] = {}
        self.deliveries: deque[Delivery] = deque(maxlen=MAX_DELIVERIES)
        self.app: App | None = None
        self.user_token = f"ghp_{secrets.token_hex(18)}"
        self.pusher = self.add_account("octo-developer", "User")
        self.requests: list[tuple[str, str]] = []

    _ids = itertools.count(1_000)

    def next_id(self) -> int:
        """An id that was never given out."""
        return next(World._ids)

    def add_account(self, login: str, kind: str = "Organization") -> Account:
        """A new account."""
        account = Account(self.next_id(), login, kind)
        self.accounts[account.id] = account
        return account

    def add_repository(self, owner: Account, name: str, *, private: bool = False) -> Repository:
        """A new repository; its git folder is made by the git face."""
        number = self.next_id()
        repository = Repository(number, owner, name, self.folder / "git" / f"{number}.git", private)
        self.repositories[number] = repository
        return repository

    def find_repository(self, full_name: str) -> Repository | None:
        """The repository of that present name."""
        return next((r for r in self.repositories.values() if r.full_name.lower() == full_name.lower()), None)

    def rename(self, repository: Repository, name: str) -> None:
        """Gives another name; the old one redirects."""
        self.moved[repository.full_name.lower()] = repository.id
        repository.name = name

    def installation_of(self, repository_id: int) -> Installation | None:
        """The installation that holds the repository."""
        return next((i for i in self.installations.values() if repository_id in i.repository_ids), None)

    def mint(
        self, installation: Installation, repository_ids: set[int], permissions: dict[str, str]
    ) -> tuple[str, Token]:
        """A new token."""
        value = f"ghs_{secrets.token_hex(18)}"
        token = Token(installation.id, time.time() + TOKEN_LIFE_S, permissions, repository_ids)
        self.tokens[value] = token
        return value, token

    def suite_of(self, repository_id: int, sha: str) -> int:
        """The check suite of our App on a commit."""
        return self.suites.setdefault((repository_id, sha), self.next_id())

    def runs_of(self, repository_id: int, sha: str) -> list[CheckRun]:
        """All check runs on a commit, the newest first."""
        found = [run for run in self.check_runs.values() if run.repository_id == repository_id and run.head_sha == sha]
        return sorted(found, key=lambda run: -run.id)

    def latest_runs(self, repository_id: int, sha: str) -> list[CheckRun]:
        """The newest check run of each name on a commit, by name."""
        latest: dict[str, CheckRun] = {}
        for run in self.runs_of(repository_id, sha):
            latest.setdefault(run.name, run)
        return [latest[name] for name in sorted(latest)]
