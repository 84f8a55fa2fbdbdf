"""The App is made in the browser: a one-time link, a choice, GitHub's own page, and an answer that comes once."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.web_context import Keys, WebContext
from forgeguard_app.flows.people.setup_stops import already_set_up, not_this_browser
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.app_manifest import (
    KINDS,
    MAX_NAME_CHARS,
    MadeApp,
    is_login,
    is_reachable,
    make_manifest,
    registration_url,
)
from forgeguard_app.github.oauth import OAuth
from forgeguard_app.store.credentials import (
    AttemptOutcome,
    SealedApp,
    Try,
    claim_link,
    find_app,
    find_link,
    renew_link,
    set_tries,
)
from forgeguard_app.store.pool import Pool
from forgeguard_app.vault import digest, new_secret, same

DOTCOM, DOTCOM_API = "https://github.com", "https://api.github.com"
MAX_ADDRESS_CHARS = 300


@dataclass(frozen=True, slots=True)
class Choice:
    """A person's choice for the new App. `organization` is empty for their own account."""

    name: str
    kind: str
    organization: str
    github_url: str
    public_url: str


@dataclass(frozen=True, slots=True)
class ManifestForm:
    """The form that leads to GitHub."""

    address: str
    manifest: dict[str, object]


@dataclass(frozen=True, slots=True)
class OpenedCredentials:
    """The App's credentials, opened; without the client's there is no signing in."""

    app_id: int
    slug: str
    private_keys: tuple[str, ...]
    webhook_secrets: tuple[bytes, ...]
    client_id: str | None
    client_secret: str | None
    github_url: str
    github_api_url: str
    public_url: str

    def __repr__(self) -> str:
        return f"Credentials({self.app_id}, {self.slug}, …)"


async def offer_setup(pool: Pool) -> str:
    """Return a fresh one-time link's secret; links offered before hold no more."""
    token = new_secret()
    async with pool.acquire() as connection:
        await renew_link(connection, digest(token))
    return token


async def open_setup(context: WebContext, token: str, browser: str) -> str:
    """Return the secret by which this browser is known from here on.

    Raises:
        SetupStopped: the link is not this browser's, or the App exists.
    """
    async with context.pool.acquire() as connection:
        link = await find_link(connection)
        if context.app.exists or await find_app(connection) is not None:
            raise already_set_up(context.github_url)
        if link is None:
            raise not_this_browser()
        if browser and link.browser_hash is not None and same(link.browser_hash, digest(browser)):
            return browser
        fresh = new_secret()
        if not token or not await claim_link(connection, digest(token), digest(fresh)):
            raise not_this_browser()
    return fresh


async def find_made(context: WebContext, browser: str) -> OpenedCredentials | None:
    """Return the App where set-up made it in this browser; None for any other browser."""
    async with context.pool.acquire() as connection:
        link = await find_link(connection)
    ours = link is not None and link.browser_hash is not None and same(link.browser_hash, digest(browser))
    if link is None or not ours or not any(attempt.outcome is AttemptOutcome.MADE for attempt in link.tries):
        return None
    return await read_credentials(context.pool, context.keys)


def problems_of(choice: Choice) -> dict[str, str]:
    """Return the problems of the choice, by field; empty where it can be sent."""
    problems: dict[str, str] = {}
    if not choice.name.strip() or len(choice.name) > MAX_NAME_CHARS or not choice.name.isprintable():
        problems["name"] = f"A name of 1 to {MAX_NAME_CHARS} characters, which nobody else on GitHub uses."
    if choice.kind not in KINDS:
        problems["kind"] = "Choose one of the two."
    if choice.organization and not is_login(choice.organization):
        problems["organization"] = "This is no organisation's name: letters, digits and hyphens."
    for field, address in (("github_url", choice.github_url), ("public_url", choice.public_url)):
        if not _is_address(address):
            problems[field] = "An address that begins with https:// or http://, without a path."
    if not problems and not is_reachable(choice.public_url, choice.github_url):
        problems["public_url"] = (
            "GitHub cannot reach this address from outside: give one that leads here and that it can, a "
            "tunnel's for example."
        )
    return problems


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return False
    bare = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and port_fits
        and bare
        and len(text) <= MAX_ADDRESS_CHARS
    )


async def begin_setup(context: WebContext, browser: str, choice: Choice) -> ManifestForm:
    """Return the way to GitHub's page, with a state that comes back.

    Raises:
        SetupStopped: the browser is not the one that opened the link.
    """
    state = new_secret()
    begun = Try(digest(state), choice.github_url, choice.public_url, choice.organization)
    async with context.pool.acquire() as connection, connection.transaction():
        link = await find_link(connection, lock=True)
        if link is None or link.browser_hash is None or not same(link.browser_hash, digest(browser)):
            raise not_this_browser()
        await set_tries(connection, [*link.tries, begun])
    address = registration_url(choice.github_url, choice.organization or None, state)
    return ManifestForm(address, make_manifest(choice.name.strip(), choice.public_url, choice.kind, context.address))


def api_of(github_url: str, context: WebContext) -> str:
    """Return the API's address of that GitHub: its own host for github.com, a path elsewhere."""
    if github_url == context.github_url:
        return context.client.base_url
    return DOTCOM_API if github_url == DOTCOM else f"{github_url}/api/v3"


def store_app(context: WebContext, credentials: OpenedCredentials) -> None:
    """Make the running server the App from here on."""
    app = context.app
    app.client = app.client.elsewhere(credentials.github_api_url)
    app.github_url, app.address, app.slug = credentials.github_url, credentials.public_url, credentials.slug
    if credentials.client_id and credentials.client_secret:
        app.oauth = OAuth(credentials.github_url, credentials.client_id, credentials.client_secret)
    app.access = AppAccess(app.client, credentials.app_id, credentials.private_keys)
    app.webhook_secrets = credentials.webhook_secrets


async def read_credentials(pool: Pool, keys: Keys) -> OpenedCredentials | None:
    """Return the App that set-up made; None where it was not.

    Raises:
        UserError: it was sealed under a key that we do not have.
    """
    async with pool.acquire() as connection:
        kept = await find_app(connection)
    return None if kept is None else opened(keys, kept)


def opened(keys: Keys, kept: SealedApp) -> OpenedCredentials:
    """Open the sealed credentials of the App.

    Raises:
        UserError: as `read_credentials`.
    """
    secrets = [keys.credentials.open(sealed) for sealed in (kept.private_key, kept.webhook_secret, kept.client_secret)]
    private_key, webhook_secret, client_secret = secrets
    if private_key is None or webhook_secret is None or client_secret is None:
        raise UserError("the App's credentials were sealed under another key: set FORGEGUARD_SECRET_KEY to it")
    return OpenedCredentials(
        kept.app_id,
        kept.slug,
        (private_key,),
        (webhook_secret.encode(),),
        kept.client_id,
        client_secret,
        kept.github_url,
        kept.github_api_url,
        kept.public_url,
    )


def seal_app(keys: Keys, made: MadeApp, github_url: str, api_url: str, public_url: str) -> SealedApp:
    seal = keys.credentials.seal
    return SealedApp(
        made.app_id,
        made.slug,
        made.html_url,
        made.client_id,
        seal(made.client_secret),
        seal(made.private_key),
        seal(made.webhook_secret),
        github_url,
        api_url,
        public_url,
    )
