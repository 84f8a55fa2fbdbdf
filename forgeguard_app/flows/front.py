"""What the flows behind pages are given: the database, GitHub as people see it, and our keys."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client
from forgeguard_app.github.oauth import OAuth
from forgeguard_app.store.pool import Pool
from forgeguard_app.vault import Sealer, Signer

READINGS = 4  # people's access read at once: each holds a database connection while a token is renewed


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
    """The key of one installation's notices, which its owner checks them with."""
    return keys.sign(f"installation/{github_installation_id}")


@dataclass
class GitHubApp:
    """Who we are to GitHub, where it is, and how it reaches us; in set-up mode there is no App yet.

    The one thing of the front that changes while it runs: set-up fills it in.
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
        """Whether there is an App."""
        return bool(self.webhook_secrets)


@dataclass(frozen=True)
class Front:
    """The outsides of the pages."""

    pool: Pool
    keys: Keys
    app: GitHubApp
    operators: frozenset[int] = frozenset()
    api_per_minute: int = 600
    readings: dict[UUID, asyncio.Task[None]] = field(default_factory=dict)
    reading_at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READINGS))

    @property
    def client(self) -> Client:
        """Asks GitHub's API."""
        return self.app.client

    @property
    def github_url(self) -> str:
        """Where GitHub's pages are."""
        return self.app.github_url

    @property
    def address(self) -> str:
        """How browsers reach us."""
        return self.app.address

    @property
    def callback(self) -> str:
        """Where GitHub sends a browser back to."""
        return f"{self.address}/login/callback"
