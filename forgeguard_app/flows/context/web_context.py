"""The context of flows behind pages: the database, GitHub as people see it, and our keys."""

from __future__ import annotations

import asyncio
import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID

from forgeguard_app.flows.context.token_pauses import TokenPauses
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client
from forgeguard_app.github.oauth import OAuth
from forgeguard_app.github.tokens import TokenCache
from forgeguard_app.store.pool import Pool
from forgeguard_app.vault import Sealer, Signer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAX_TURNS = 10_000
_MINUTE_S, _AGAIN_S = 60.0, 5.0
RENEWALS = 4  # tokens of people renewed at once: each holds a database connection
READINGS = 64  # people's access read at once, which takes up to a minute for who sees thousands of repositories


class Turns:
    """When this process last asked GitHub about a repository: once in `every_s`, and not too often for one
    installation.
    """

    def __init__(self, every_s: float = 30.0, most_a_minute: int = 10) -> None:
        self.every_s, self._most = every_s, most_a_minute
        self._taken: OrderedDict[UUID, float] = OrderedDict()
        self._lately: dict[UUID, deque[float]] = {}

    def take(self, repo_id: UUID, installation_id: UUID) -> bool:
        """Return whether it is the caller's turn to ask; then it is nobody else's for a while."""
        now = time.monotonic()
        lately = self._lately.setdefault(installation_id, deque(maxlen=self._most))
        if now - self._taken.get(repo_id, -math.inf) < self.every_s:
            return False
        if len(lately) == self._most and now - lately[0] < _MINUTE_S:
            return False
        lately.append(now)
        self._taken[repo_id] = now
        self._taken.move_to_end(repo_id)
        while len(self._taken) > MAX_TURNS:
            self._taken.popitem(last=False)
        return True

    def give_back(self, repo_id: UUID) -> None:
        """GitHub gave no answer: it is asked again in a moment."""
        self._taken[repo_id] = time.monotonic() - self.every_s + _AGAIN_S


class Keys:
    """Our keys by purpose: what is sealed or signed for one purpose holds for no other."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        kept = list(keys)
        self.links = Signer(kept, "links")
        self.badges = Signer(kept, "badges")
        self.forms = Signer(kept, "forms")
        self.notices = Signer(kept, "notices")
        self.tokens = Sealer(kept, "tokens")
        self.sign_in = Sealer(kept, "sign-in")
        self.forms_kept = Sealer(kept, "kept-forms")
        self.fresh_tokens = Sealer(kept, "fresh-tokens")
        self.credentials = Sealer(kept, "credentials")

    def __repr__(self) -> str:
        return "Keys(…)"


def notice_key(keys: Signer, github_installation_id: int) -> str:
    """Return the key of one installation's notices, which its owner checks them with."""
    return keys.sign(f"installation/{github_installation_id}")


@dataclass
class GitHubApp:
    """The App's identity at GitHub, GitHub's address, and how GitHub reaches us; in set-up mode there is no App yet.

    The only part of the context that changes while it runs: set-up fills it in.
    """

    client: Client
    github_url: str
    address: str
    oauth: OAuth | None = None
    webhook_secrets: tuple[bytes, ...] = ()
    slug: str = ""
    access: AppAccess | None = None

    @property
    def exists(self) -> bool:
        """Return whether there is an App."""
        return bool(self.webhook_secrets)


@dataclass(frozen=True)
class WebContext:
    """The outsides of the pages."""

    pool: Pool
    keys: Keys
    app: GitHubApp
    operators: frozenset[int] = frozenset()
    api_per_minute: int = 600
    pages_per_minute: int = 600
    trusted_proxies: tuple[Network, ...] = ()
    metrics_from: tuple[Network, ...] = ()
    figures_kept_s: float = 1.0
    readings: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    visibility: Turns = field(default_factory=Turns)
    renewing_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(RENEWALS))
    reading_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READINGS))

    @cached_property
    def tokens(self) -> TokenCache:
        """Installation tokens of this process, for what pages ask of GitHub as the App.

        Raises:
            LookupError: there is no App yet.
        """
        if self.app.access is None:
            raise LookupError("there is no App yet")
        tokens = TokenCache(self.app.access)
        tokens.shared = TokenPauses(self.pool)
        return tokens

    @property
    def client(self) -> Client:
        """Ask GitHub's API."""
        return self.app.client

    @property
    def github_url(self) -> str:
        """Return the address of GitHub's pages."""
        return self.app.github_url

    @property
    def address(self) -> str:
        """Return the address at which browsers reach us."""
        return self.app.address

    @property
    def callback(self) -> str:
        """Return the address that GitHub sends a browser back to."""
        return f"{self.address}/login/callback"
