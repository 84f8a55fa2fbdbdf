"""The stored secrets, sealed again once."""

from __future__ import annotations

from forgeguard_app.app.base import opened
from forgeguard_app.flows.people.rotate_key import Rotated
from forgeguard_app.flows.people.rotate_key import rotate_key as rotate
from forgeguard_app.settings import Settings


async def rotate_key(settings: Settings) -> Rotated:
    """Seal everything stored again under the first key."""
    async with opened(settings, size=2) as base:
        return await rotate(base.pool, base.keys)
