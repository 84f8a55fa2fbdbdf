"""Authenticates requests by the Authorization header, which is read as strictly as GitHub reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jwt

from forgeguard_app.simulator.people import People, UserToken
from forgeguard_app.simulator.rules import Denied, RefusalRule
from forgeguard_app.simulator.state import App, Installation, Token, World

JWT_LIFE_S = 600
LEEWAY_S = 5
_HEADER = re.compile(r"(?P<scheme>[A-Za-z]+) +(?P<value>[^ ]+)\Z")
_LOOKS_LIKE_JWT = re.compile(r"ey[\w-]*\.[\w-]*\.[\w-]*\Z", re.ASCII)


@dataclass(frozen=True)
class Nobody:
    """A request without an Authorization header."""


@dataclass(frozen=True)
class AsApp:
    """A JWT that is not verified yet."""

    value: str


@dataclass(frozen=True)
class AsInstallation:
    """An installation token that holds."""

    token: Token
    installation: Installation


@dataclass(frozen=True)
class AsUser:
    """A user access token that holds."""

    token: UserToken


@dataclass(frozen=True)
class AsDeveloper:
    """A person's own token, which belongs to no App."""


Credential = Nobody | AsApp | AsInstallation | AsUser | AsDeveloper


class RequestCredentials:
    """Reads the Authorization header."""

    def __init__(self, world: World, people: People) -> None:
        self.world, self.people = world, people

    def read(self, header: str | None) -> Credential:
        """Return who asks.

        Raises:
            Denied: the header is malformed, or its credential does not hold.
        """
        if header is None:
            return Nobody()
        scheme, _, rest = header.strip().partition(" ")
        if not rest.strip():
            raise Denied(RefusalRule.EMPTY_CREDENTIAL)
        if scheme.lower() not in ("bearer", "token"):
            raise Denied(RefusalRule.FOREIGN_SCHEME)
        found = _HEADER.match(header)
        if found is None:
            raise Denied(RefusalRule.MALFORMED_CREDENTIAL)
        return self._who(found["value"])

    def _who(self, value: str) -> Credential:
        if _LOOKS_LIKE_JWT.match(value):
            return AsApp(value)
        if value == self.world.user_token:
            return AsDeveloper()
        if (user := self.people.tokens.get(value)) is not None:
            if user.expires_at < self.world.now():
                raise Denied(RefusalRule.EXPIRED_USER_TOKEN)
            return AsUser(user)
        token = self.world.tokens.get(value)
        if token is None and value in self.people.revoked:
            raise Denied(RefusalRule.REVOKED_USER_TOKEN)
        if token is None:
            raise Denied(RefusalRule.REVOKED_TOKEN if value in self.world.revoked else RefusalRule.UNKNOWN_CREDENTIAL)
        return self._installation(token)

    def _installation(self, token: Token) -> AsInstallation:
        now, installation = self.world.now(), self.world.installations.get(token.installation_id)
        if token.expires_at < now:
            raise Denied(RefusalRule.EXPIRED_TOKEN)
        if now - token.minted_at < self.world.token_lag_s:
            raise Denied(RefusalRule.FRESH_TOKEN)
        if installation is None:
            raise Denied(RefusalRule.TOKEN_OF_DELETED_INSTALLATION)
        return AsInstallation(token, installation)


def verify_jwt(value: str, app: App | None, now: float) -> None:
    """Verify an App's JWT in GitHub's order: the issuer, the signature, then the times.

    Raises:
        Denied: it does not hold.
    """
    claims = _claims(value)
    if not claims.get("iss"):
        raise Denied(RefusalRule.ISS_MISSING)
    if app is None or str(claims["iss"]) not in (str(app.id), app.client_id):
        raise Denied(RefusalRule.ISS_UNKNOWN)
    if not any(_signed_by(value, key) for key in app.public_keys):
        raise Denied(RefusalRule.WRONG_KEY)
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int):
        raise Denied(RefusalRule.IAT_MISSING)
    if issued > now + LEEWAY_S:
        raise Denied(RefusalRule.IAT_FUTURE)
    if not isinstance(expires, int | float):
        raise Denied(RefusalRule.EXP_MISSING)
    if expires < now - LEEWAY_S:
        raise Denied(RefusalRule.EXP_PAST)
    if expires - now > JWT_LIFE_S or expires - issued > JWT_LIFE_S:
        raise Denied(RefusalRule.EXP_TOO_FAR)


def _claims(value: str) -> dict[str, Any]:
    try:
        if jwt.get_unverified_header(value).get("alg") != "RS256":
            raise Denied(RefusalRule.WRONG_ALGORITHM)
        claims: dict[str, Any] = jwt.decode(value, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise Denied(RefusalRule.NOT_A_JWT) from None
    return claims


def _signed_by(value: str, key: str) -> bool:
    unchecked = {f"verify_{claim}": False for claim in ("exp", "iat", "nbf", "iss", "aud", "sub", "jti")}
    try:
        jwt.decode(value, key, algorithms=["RS256"], options=unchecked)  # type: ignore[arg-type]
    except jwt.PyJWTError:
        return False
    return True
