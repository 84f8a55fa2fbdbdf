"""The App that set-up made, and the one-time link to set-up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum

from forgeguard_app.store.pool import Connection

MAX_TRIES = 5  # of one link: older tabs of the same browser still lead to an App


@dataclass(frozen=True, slots=True)
class SealedApp:
    """The App's credentials; the secret ones are ciphertext."""

    app_id: int
    slug: str
    html_url: str
    client_id: str
    client_secret: str
    private_key: str
    webhook_secret: str
    github_url: str
    github_api_url: str
    public_url: str

    def __repr__(self) -> str:
        return f"SealedApp({self.app_id}, {self.slug}, …)"


_COLUMNS = (
    "app_id, slug, html_url, client_id, client_secret, private_key, webhook_secret, github_url, "
    "github_api_url, public_url"
)


async def find_app(connection: Connection, *, lock: bool = False) -> SealedApp | None:
    """Return the App, once it was made; with `lock` held against all others until the transaction ends."""
    query = f"SELECT {_COLUMNS} FROM app_credentials" + (" FOR UPDATE" if lock else "")  # noqa: S608
    row = await connection.fetchrow(query)
    return None if row is None else SealedApp(**row)


async def insert_app(connection: Connection, app: SealedApp) -> bool:
    """Store the App; False where there is one already. The caller owns the transaction."""
    found = await connection.fetchval(
        f"INSERT INTO app_credentials ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"  # noqa: S608
        " ON CONFLICT ((true)) DO NOTHING RETURNING id",
        app.app_id,
        app.slug,
        app.html_url,
        app.client_id,
        app.client_secret,
        app.private_key,
        app.webhook_secret,
        app.github_url,
        app.github_api_url,
        app.public_url,
    )
    return found is not None


async def set_app_secrets(connection: Connection, app: SealedApp) -> None:
    """Store the secrets of the App, sealed again."""
    await connection.execute(
        "UPDATE app_credentials SET client_secret = $1, private_key = $2, webhook_secret = $3",
        app.client_secret,
        app.private_key,
        app.webhook_secret,
    )


class AttemptOutcome(Enum):
    """The outcome of one attempt at GitHub."""

    AWAITED = "awaited"  # nothing came back yet, or GitHub could not be asked
    TAKEN = "taken"  # a code is being traded
    REFUSED = "refused"  # GitHub did not accept the code
    MADE = "made"


@dataclass(frozen=True, slots=True)
class Try:
    """One way to GitHub that the link's browser took: what it asked for, and what came back."""

    state_hash: str
    github_url: str
    public_url: str
    organization: str
    outcome: AttemptOutcome = AttemptOutcome.AWAITED
    code_hash: str = ""  # of the code that came back last
    taken_at: float = 0.0  # by the database's clock, in seconds since the epoch


@dataclass(frozen=True, slots=True)
class SetupLink:
    """The link's state: what it may be opened with, who opened it, and the newest tries."""

    token_hash: str
    browser_hash: str | None
    tries: tuple[Try, ...]
    now: float  # by the database's clock


_FIND_LINK = (
    "SELECT token_hash, browser_hash, choice, extract(epoch FROM clock_timestamp())::float8 AS now FROM setup_links"
)
_LOCK_LINK = f"{_FIND_LINK} FOR UPDATE"


async def renew_link(connection: Connection, token_hash: str) -> None:
    """Store a new link, in place of any other."""
    await connection.execute(
        """
        INSERT INTO setup_links (token_hash) VALUES ($1)
        ON CONFLICT ((true)) DO UPDATE SET token_hash = $1, browser_hash = NULL, state_hash = NULL, choice = NULL,
            created_at = now()
        """,
        token_hash,
    )


async def find_link(connection: Connection, *, lock: bool = False) -> SetupLink | None:
    """Return the link; it stays after the App was made, so that its browser sees what became of it."""
    row = await connection.fetchrow(_LOCK_LINK if lock else _FIND_LINK)
    if row is None:
        return None
    kept = json.loads(row["choice"]).get("tries", []) if row["choice"] else []
    tries = tuple(Try(**{**attempt, "outcome": AttemptOutcome(attempt["outcome"])}) for attempt in kept)
    return SetupLink(row["token_hash"], row["browser_hash"], tries, row["now"])


async def claim_link(connection: Connection, token_hash: str, browser_hash: str) -> bool:
    """Return the first browser that opens the link has it; False for any other."""
    found = await connection.fetchval(
        "UPDATE setup_links SET browser_hash = $2 WHERE token_hash = $1 AND browser_hash IS NULL RETURNING id",
        token_hash,
        browser_hash,
    )
    return found is not None


async def set_tries(connection: Connection, tries: Sequence[Try]) -> None:
    """Store the newest tries of the link, which the caller has locked."""
    kept = [asdict(attempt) | {"outcome": attempt.outcome.value} for attempt in tries[-MAX_TRIES:]]
    await connection.execute(
        "UPDATE setup_links SET state_hash = $1, choice = $2::jsonb",
        kept[-1]["state_hash"] if kept else None,
        json.dumps({"tries": kept}),
    )


async def set_try(connection: Connection, changed: Try) -> None:
    """Store what became of one try; nothing where the link was renewed meanwhile."""
    link = await find_link(connection, lock=True)
    if link is not None:
        await set_tries(
            connection, [changed if attempt.state_hash == changed.state_hash else attempt for attempt in link.tries]
        )
