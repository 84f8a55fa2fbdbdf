"""Permissions that the App asks GitHub for; `app.yml` gives the reasons, and a test keeps the two the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping

PERMISSIONS: Mapping[str, str] = {
    "checks": "write",
    "contents": "read",
    "pull_requests": "read",
    "merge_queues": "read",
    "metadata": "read",
}
# For those who want pull requests and builds from ForgeGuard.
BUILDER_PERMISSIONS: Mapping[str, str] = {
    **PERMISSIONS,
    "contents": "write",
    "pull_requests": "write",
    "workflows": "write",
}
EVENTS = ("merge_group", "pull_request", "push", "repository")
_LEVELS = ("read", "write", "admin")


def missing_permissions(granted: Mapping[str, str]) -> list[str]:
    """Return the permissions that are needed and not granted, as `name: level`."""
    return [f"{name}: {level}" for name, level in PERMISSIONS.items() if not _covers(granted.get(name), level)]


def not_subscribed(events: Collection[str]) -> list[str]:
    """Return the events that are needed and not subscribed."""
    return [event for event in EVENTS if event not in events]


def _covers(granted: str | None, needed: str) -> bool:
    return granted in _LEVELS and _LEVELS.index(granted) >= _LEVELS.index(needed)
