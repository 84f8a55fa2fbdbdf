"""A person signs in with GitHub: out with a state and a PKCE challenge, back with a code, and a session stands for
them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.github import oauth as github_oauth
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.events import MAX_NAME_CHARS, clean_text
from forgeguard_app.github.oauth import UserTokens
from forgeguard_app.github.people import get_user
from forgeguard_app.store.sessions import delete_session_of, insert_session
from forgeguard_app.store.users import SealedTokens, upsert_user
from forgeguard_app.vault import challenge_of, digest, new_secret, same

SIGN_IN_S = 600
MAX_BROWSER_CHARS = 200
START_AGAIN = "This sign-in is not the one that this browser began, or it is too old. Please sign in again."


class SignInFailed(UserError):
    """Nobody was signed in; the text says what to do."""


@dataclass(frozen=True, slots=True)
class SignInRedirect:
    """The address that the browser goes to, and the sealed note that it keeps until it is back."""

    address: str
    note: str


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser that came back from GitHub: its name, and the secret of the session that it has already, or nothing."""

    label: str
    session: str = ""

    def __repr__(self) -> str:
        return "Browser(…)"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A completed sign-in: the session's secret for the browser, and where the person wanted to go."""

    user_id: UUID
    github_id: int
    login: str
    session: str
    return_to: str


def begin_sign_in(context: WebContext, return_to: str) -> SignInRedirect:
    """Return the way to GitHub; no state is kept here, the browser carries it, sealed.

    Raises:
        SignInFailed: there is no App to sign in with yet.
    """
    if context.app.oauth is None:
        raise SignInFailed("Signing in is not set up yet: the operator is to finish the set-up of the App first.")
    state, verifier = new_secret(), new_secret()
    note = context.keys.sign_in.seal(json.dumps([state, verifier, return_to]))
    return SignInRedirect(
        github_oauth.authorize_url(context.app.oauth, context.callback, state, challenge_of(verifier)),
        note,
    )


async def finish_sign_in(context: WebContext, note: str, state: str, code: str, browser: Browser) -> SignedIn:
    """Trade the code for tokens, which are kept sealed; the person has a session, and the browser's former one ends.

    Raises:
        SignInFailed: the state is not this browser's, or GitHub refuses the code.
        RetryLater: GitHub cannot be asked just now.
    """
    opened = context.keys.sign_in.open(note, within_s=SIGN_IN_S) if note else None
    if opened is None or context.app.oauth is None:
        raise SignInFailed(START_AGAIN)
    wanted, verifier, return_to = json.loads(opened)
    if not same(wanted, state) or not code:
        raise SignInFailed(START_AGAIN)
    try:
        tokens = await github_oauth.trade_code(context.client, context.app.oauth, code, verifier, context.callback)
        user = await get_user(context.client, tokens.access_token)
    except RequestRejected:
        raise SignInFailed("GitHub does not accept the code: it is used or expired. Please sign in again.") from None
    secret = new_secret()
    login = clean_text(user.login, MAX_NAME_CHARS) or str(user.id)
    async with context.pool.acquire() as connection, connection.transaction():
        user_id = await upsert_user(connection, user.id, login, user.avatar_url, sealed(context, tokens))
        label = clean_text(browser.label, MAX_BROWSER_CHARS) or ""
        if browser.session:
            await delete_session_of(connection, digest(browser.session))
        await insert_session(connection, user_id, digest(secret), label)
    return SignedIn(user_id, user.id, login, secret, return_to)


def sealed(context: WebContext, tokens: UserTokens) -> SealedTokens:
    """Return the tokens as they are kept."""
    seal = context.keys.tokens.seal
    refresh_token = None if tokens.refresh_token is None else seal(tokens.refresh_token)
    return SealedTokens(seal(tokens.access_token), refresh_token, tokens.expires_in_s)
