"""People of the simulated GitHub: who is signed in where, what they may do, and what they granted the App."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass

from forgeguard_app.simulator.rules import Denied, RefusalRule
from forgeguard_app.simulator.state import Account, Installation, Repository, World

CODE_LIFE_S = 600
USER_TOKEN_LIFE_S = 28_800
REFRESH_LIFE_S = 15_811_200


@dataclass(frozen=True)
class Grant:
    """The grant behind a code; it can be used once."""

    user: Account
    redirect_uri: str
    challenge: str | None
    made_at: float


@dataclass(frozen=True)
class UserToken:
    """A token in a person's name."""

    user: Account
    expires_at: float
    refresh_token: str


class People:
    """Sign-in, codes, tokens, and who may do what with which repository."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.levels: dict[tuple[int, int], str] = {}
        self.browsers: dict[str, Account] = {}
        self.granted: set[int] = set()
        self.codes: dict[str, Grant] = {}
        self.tokens: dict[str, UserToken] = {}
        self.life_s: float = USER_TOKEN_LIFE_S
        self.refreshed = 0
        self.revoked: set[str] = set()
        self.used: set[str] = set()  # codes and refresh tokens, which hold once

    def add(self, login: str) -> Account:
        """Return a new person."""
        return self.world.add_account(login, "User")

    def allow(self, user: Account, repository: Repository, level: str) -> None:
        """Let the person read, write or administer the repository."""
        self.levels[user.id, repository.id] = level

    def users(self) -> list[Account]:
        """Everybody who can sign in."""
        return [account for account in self.world.accounts.values() if account.type == "User"]

    def sign_in(self, user: Account) -> str:
        """Return the cookie of a browser in which the person is signed in."""
        cookie = secrets.token_urlsafe(16)
        self.browsers[cookie] = user
        return cookie

    def grant(self, user: Account, redirect_uri: str, challenge: str | None) -> str:
        """Return a code for the App."""
        code = secrets.token_hex(10)
        self.codes[code] = Grant(user, redirect_uri, challenge, self.world.now())
        self.granted.add(user.id)
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str) -> tuple[str, UserToken]:
        """Return a token for a code.

        Raises:
            Denied: the code does not hold, or is not this browser's.
        """
        grant = self.codes.pop(code, None)
        if grant is None:
            raise Denied(RefusalRule.USED_OAUTH_CODE if code in self.used else RefusalRule.BAD_OAUTH_CODE)
        self.used.add(code)
        if self.world.now() - grant.made_at > CODE_LIFE_S:
            raise Denied(RefusalRule.OLD_OAUTH_CODE)
        if redirect_uri and redirect_uri != grant.redirect_uri:
            raise Denied(RefusalRule.OTHER_REDIRECT)
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if grant.challenge is not None and digest != grant.challenge:
            raise Denied(RefusalRule.BAD_VERIFIER if verifier else RefusalRule.NO_VERIFIER)
        return self._mint(grant.user)

    def refresh(self, refresh_token: str) -> tuple[str, UserToken]:
        """Return a new token for a refresh token, which holds once.

        Raises:
            Denied: the refresh token does not hold.
        """
        old = next((value for value, token in self.tokens.items() if token.refresh_token == refresh_token), None)
        if old is None:
            raise Denied(RefusalRule.USED_REFRESH if refresh_token in self.used else RefusalRule.UNKNOWN_REFRESH)
        self.used.add(refresh_token)
        self.refreshed += 1
        return self._mint(self.tokens.pop(old).user)

    def revoke(self, user: Account) -> None:
        """Let the person take back what they granted."""
        self.granted.discard(user.id)
        self.revoked |= {value for value, token in self.tokens.items() if token.user.id == user.id}
        self.tokens = {value: token for value, token in self.tokens.items() if token.user.id != user.id}

    def installations_of(self, user: Account) -> list[Installation]:
        """Return the installations in which the person may see a repository."""
        return [
            installation
            for installation in self.world.installations.values()
            if self.repositories_of(user, installation)
        ]

    def repositories_of(self, user: Account, installation: Installation) -> list[Repository]:
        """Return the installation's repositories that the person was let into, or that are everybody's."""
        held = (self.world.repositories[number] for number in sorted(installation.repository_ids))
        return [repository for repository in held if (user.id, repository.id) in self.levels]

    def _mint(self, user: Account) -> tuple[str, UserToken]:
        value = f"ghu_{secrets.token_hex(18)}"
        token = UserToken(user, self.world.now() + self.life_s, f"ghr_{secrets.token_hex(38)}")
        self.tokens[value] = token
        return value, token
