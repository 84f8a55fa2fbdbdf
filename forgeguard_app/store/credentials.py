"""The App that set-up made, and the one-time link to set-up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection


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


_COLUMNS = "app_id, slug, html_url, client_id, client_secret, private_key, webhook_secret, github_url, github_api_url, public_url"


async def find_app(connection: Connection) -> SealedApp | None:
    """The App, once it was made."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM app_credentials")  # noqa: S608
    return None if row is None else SealedApp(**row)


async def insert_app(connection: Connection, app: SealedApp) -> bool:
    """Keeps the App and ends set-up; False where there is one already. Wants a transaction."""
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
    await connection.execute("DELETE FROM setup_links")
    return found is not None


@dataclass(frozen=True, slots=True)
class SetupLink:
    """The link's state: what it may be opened with, who opened it, and what was asked of GitHub."""

    id: UUID
    token_hash: str
    browser_hash: str | None
    state_hash: str | None
    choice: dict[str, Any] | None


async def renew_link(connection: Connection, token_hash: str) -> None:
    """A new link, in place of any other."""
    await connection.execute(
        """
        INSERT INTO setup_links (token_hash) VALUES ($1)
        ON CONFLICT ((true)) DO UPDATE SET token_hash = $1, browser_hash = NULL, state_hash = NULL, choice = NULL,
            created_at = now()
        """,
        token_hash,
    )


async def find_link(connection: Connection) -> SetupLink | None:
    """The link, unless the App exists."""
    row = await connection.fetchrow("SELECT id, token_hash, browser_hash, state_hash, choice FROM setup_links")
    return None if row is None else SetupLink(**{**row, "choice": json.loads(row["choice"]) if row["choice"] else None})


async def claim_link(connection: Connection, token_hash: str, browser_hash: str) -> bool:
    """The first browser that opens the link has it; False for any other."""
    found = await connection.fetchval(
        "UPDATE setup_links SET browser_hash = $2 WHERE token_hash = $1 AND browser_hash IS NULL RETURNING id",
        token_hash,
        browser_hash,
    )
    return found is not None


async def set_choice(connection: Connection, browser_hash: str, state_hash: str, choice: dict[str, Any]) -> bool:
    """What was asked of GitHub, and the state that it is to send back."""
    found = await connection.fetchval(
        "UPDATE setup_links SET state_hash = $2, choice = $3::jsonb WHERE browser_hash = $1 RETURNING id",
        browser_hash,
        state_hash,
        json.dumps(choice),
    )
    return found is not None


async def take_choice(connection: Connection, browser_hash: str, state_hash: str) -> dict[str, Any] | None:
    """What was asked, for the state that came back; it holds once."""
    row = await connection.fetchrow(
        """
        UPDATE setup_links n SET state_hash = NULL FROM (SELECT id, choice FROM setup_links FOR UPDATE) o
        WHERE n.id = o.id AND n.browser_hash = $1 AND n.state_hash = $2 RETURNING o.choice
        """,
        browser_hash,
        state_hash,
    )
    return None if row is None or row["choice"] is None else json.loads(row["choice"])
