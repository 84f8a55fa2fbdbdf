"""The App Manifest: what set-up asks GitHub to make, and the answer, which comes once.

Source: GitHub's "Registering a GitHub App from a manifest".
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from forgeguard_app.github.client import Client, GitHubUnavailable, RequestRejected
from forgeguard_app.github.permissions import BUILDER_PERMISSIONS, EVENTS, PERMISSIONS

KINDS: Mapping[str, Mapping[str, str]] = {"guard": PERMISSIONS, "builder": BUILDER_PERMISSIONS}
MAX_NAME_CHARS = 34
HOMEPAGE_TEXT = "Audits every push: boundaries, dependencies, secrets. The answer stands on the commit."
_CODE = re.compile(r"[0-9A-Za-z_-]{1,200}\Z")
_LOGIN = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z-]{0,38})\Z")


@dataclass(frozen=True, slots=True)
class MadeApp:
    """The App that GitHub made. Everything but the first three fields is secret or goes with it."""

    app_id: int
    slug: str
    html_url: str
    client_id: str
    client_secret: str
    private_key: str
    webhook_secret: str

    def __repr__(self) -> str:
        return f"MadeApp({self.app_id}, {self.slug}, …)"


def make_manifest(name: str, address: str, kind: str, here: str | None = None) -> dict[str, Any]:
    """Return the manifest of an App whose server GitHub reaches at `address`; its browser is at `here`."""
    return {
        "name": name,
        "url": address,
        "description": HOMEPAGE_TEXT,
        "hook_attributes": {"url": f"{address}/webhooks/github", "active": True},
        "redirect_url": f"{here or address}/setup/callback",
        "callback_urls": [f"{address}/login/callback"],
        "setup_url": f"{address}/setup/installed",
        "setup_on_update": True,
        "public": False,
        "default_permissions": dict(KINDS[kind]),
        "default_events": list(EVENTS),
    }


def manifest_text(kind: str) -> str:
    """Return the file below `manifests/`, for those who register the App by hand."""
    return json.dumps(make_manifest("ForgeGuard", "https://forgeguard.example", kind), indent=2) + "\n"


def registration_url(github_url: str, organization: str | None, state: str) -> str:
    """Return the address that the browser posts the manifest to: the person's own settings, or an organisation's."""
    owner = f"/organizations/{quote(organization)}" if organization else ""
    return f"{github_url}{owner}/settings/apps/new?{urlencode({'state': state})}"


def apps_url(github_url: str, organization: str = "", slug: str = "") -> str:
    """Return where the owner of an App changes or deletes it."""
    owner = f"/organizations/{quote(organization)}" if organization else ""
    return f"{github_url}{owner}/settings/apps{'/' + quote(slug) if slug else ''}"


def is_code(text: str) -> bool:
    """Return whether GitHub could have sent the text as a code."""
    return _CODE.match(text) is not None


def is_login(text: str) -> bool:
    """Return whether an account can be named so."""
    return _LOGIN.match(text) is not None


def is_reachable(address: str, github_url: str) -> bool:
    """Return whether GitHub can reach the address: loopback and plain names only where GitHub itself is there too."""
    return _is_private(github_url) or not _is_private(address)


def _is_private(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".test"))


async def trade_manifest_code(client: Client, code: str) -> MadeApp:
    """Return the App for the code, which holds once and for an hour.

    Raises:
        RequestRejected: the code is wrong, used or expired.
        RetryLater: GitHub is away, or its limit is reached; whether the code is used is unknown then.
    """
    if not is_code(code):
        raise RequestRejected(404, "the code is not one of GitHub's")
    # https://docs.github.com/en/apps/sharing-github-apps/registering-a-github-app-from-a-manifest
    answer = await client.ask("POST", f"/app-manifests/{code}/conversions")
    try:
        made = MadeApp(
            int(answer["id"]),
            str(answer["slug"]),
            str(answer["html_url"]),
            str(answer["client_id"]),
            str(answer["client_secret"]),
            str(answer["pem"]),
            str(answer["webhook_secret"] or ""),
        )
    except (KeyError, TypeError, ValueError):
        raise GitHubUnavailable("GitHub's answer is not an App", answered=True) from None
    if not made.webhook_secret or not made.private_key or not made.client_secret:
        raise GitHubUnavailable("GitHub's answer lacks one of the App's secrets", answered=True)
    return made
