"""What GitHub refuses in an App Manifest."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

FIELDS = {
    "name", "url", "hook_attributes", "redirect_url", "callback_urls", "setup_url", "description", "public", "default_events",
    "default_permissions", "request_oauth_on_install", "setup_on_update",
}  # fmt: skip
# Delivered to every App; naming them in a manifest is an error.
DELIVERED_ANYWAY = {
    "installation", "installation_repositories", "installation_target", "github_app_authorization", "security_advisory",
    "check_run", "check_suite", "ping",
}  # fmt: skip
EVENT_NEEDS = {
    "merge_group": "merge_queues", "pull_request": "pull_requests", "push": "contents", "repository": "metadata",
    "member": "members", "membership": "members", "status": "statuses",
}  # fmt: skip
PERMISSIONS = {
    "actions", "administration", "checks", "contents", "deployments", "issues", "members", "merge_queues", "metadata", "pages",
    "pull_requests", "statuses", "workflows",
}  # fmt: skip
MAX_NAME_CHARS = 34
MAX_CALLBACKS = 10


def problems_of(manifest: Any, *, here: str) -> list[str]:
    """Why GitHub at the address `here` makes no App of it; nothing where it does."""
    if not isinstance(manifest, dict):
        return ["The manifest is not a JSON object"]
    found = [f"{name} is not a field of a manifest" for name in sorted(set(manifest) - FIELDS)]
    name = manifest.get("name", "")
    if not isinstance(name, str) or len(name) > MAX_NAME_CHARS:
        found.append(f"Name is too long (maximum is {MAX_NAME_CHARS} characters)")
    if not _is_address(manifest.get("url")):
        found.append("Url is missing or no address")
    permissions = manifest.get("default_permissions", {})
    found += [
        f"Default permission records resource is not included in the list: {p}"
        for p in sorted(set(permissions) - PERMISSIONS)
    ]
    found += [
        f"Default permission level {level} of {p}" for p, level in permissions.items() if level not in ("read", "write")
    ]
    for event in manifest.get("default_events", []):
        if event in DELIVERED_ANYWAY or event not in EVENT_NEEDS:
            found.append(f"Default events unsupported: {event}")
        elif EVENT_NEEDS[event] not in permissions:
            found.append(f"Default events are not supported by permissions: {event}")
    callbacks = manifest.get("callback_urls", [])
    if len(callbacks) > MAX_CALLBACKS or not all(_is_address(one) for one in callbacks):
        found.append("Callback urls are too many, or no addresses")
    hook = manifest.get("hook_attributes") or {}
    if hook and not _is_address(hook.get("url")):
        found.append("Hook url is no address")
    elif hook.get("active", True) and hook and not _is_reachable(hook["url"], here):
        found.append("Hook url is not supported because it isn't reachable over the public Internet")
    if manifest.get("request_oauth_on_install") and manifest.get("setup_url"):
        found.append("Setup url is unavailable when OAuth is requested during installation")
    return found


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).hostname)


def _is_reachable(url: str, here: str) -> bool:
    return is_private_host(urlsplit(here).hostname or "") or not is_private_host(urlsplit(url).hostname or "")


def is_private_host(host: str) -> bool:
    """Whether nobody outside reaches the host: loopback, a private network, a name without a dot."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))
    return not address.is_global
