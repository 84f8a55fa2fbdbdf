"""Refuses App Manifests as GitHub does."""

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
_NO_SUCH_LEVEL = {("workflows", "read"), ("metadata", "write")}
_TYPES: dict[str, type[Any]] = {
    "name": str, "url": str, "hook_attributes": dict, "redirect_url": str, "callback_urls": list, "setup_url": str, "description": str,
    "public": bool, "default_events": list, "default_permissions": dict, "request_oauth_on_install": bool, "setup_on_update": bool,
}  # fmt: skip
_WORDS = {str: "a string", dict: "an object", list: "an array", bool: "a boolean"}
MAX_NAME_CHARS = 34
MAX_CALLBACKS = 10


def problems_of(manifest: Any, *, here: str) -> list[str]:
    """Why GitHub at the address `here` makes no App of it; nothing where it does."""
    if not isinstance(manifest, dict):
        return ["The manifest is not a JSON object"]
    found = [f"{name} is not a field of a manifest" for name in sorted(set(manifest) - FIELDS)]
    found += [
        f"{name} is not {_WORDS[kind]}"
        for name, kind in _TYPES.items()
        if not isinstance(manifest.get(name, kind()), kind)
    ]
    if found:
        return found
    if len(manifest.get("name", "")) > MAX_NAME_CHARS:
        found.append(f"Name is too long (maximum is {MAX_NAME_CHARS} characters)")
    found += [f"{name} is no address" for name in ("url", "redirect_url", "setup_url") if not _fits(manifest, name)]
    callbacks = manifest.get("callback_urls", [])
    if len(callbacks) > MAX_CALLBACKS or not all(_is_address(callback) for callback in callbacks):
        found.append("Callback urls are too many, or no addresses")
    if manifest.get("request_oauth_on_install") and manifest.get("setup_url"):
        found.append("Setup url is unavailable when OAuth is requested during installation")
    return [*found, *_of_permissions(manifest), *_of_hook(manifest.get("hook_attributes"), here)]


def _fits(manifest: dict[str, Any], name: str) -> bool:
    return _is_address(manifest[name]) if name in manifest else name != "url"


def _of_permissions(manifest: dict[str, Any]) -> list[str]:
    permissions, found = manifest.get("default_permissions", {}), []
    for name, level in permissions.items():
        if name not in PERMISSIONS:
            found.append(f"Default permission records resource is not included in the list: {name}")
        elif level not in ("read", "write") or (name, level) in _NO_SUCH_LEVEL:
            found.append(f"Default permission level {level} of {name}")
    for event in manifest.get("default_events", []):
        if event in DELIVERED_ANYWAY or event not in EVENT_NEEDS:
            found.append(f"Default events unsupported: {event}")
        elif EVENT_NEEDS[event] not in permissions:
            found.append(f"Default events are not supported by permissions: {event}")
    return found


def _of_hook(hook: dict[str, Any] | None, here: str) -> list[str]:
    if hook is None:
        return []
    found = [f"hook_attributes.{name} is not a field" for name in sorted(set(hook) - {"url", "active"})]
    if not isinstance(hook.get("active", True), bool):
        found.append("hook_attributes.active is not a boolean")
    if not _is_address(hook.get("url")):
        found.append("Hook url is no address")
    elif hook.get("active", True) and not _is_reachable(hook["url"], here):
        found.append("Hook url is not supported because it isn't reachable over the public Internet")
    return found


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).hostname)


def _is_reachable(url: str, here: str) -> bool:
    return is_private_host(urlsplit(here).hostname or "") or not is_private_host(urlsplit(url).hostname or "")


def is_private_host(host: str) -> bool:
    """Return whether nobody outside reaches the host: loopback, a private network, a name without a dot."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".local", ".localhost", ".internal"))
    return not address.is_global
