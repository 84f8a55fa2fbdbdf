"""Encodes the end of a page of a list as text that leads to the next page."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from aiohttp import web

MAX_CHARS = 400


def cursor_of(at: datetime, key: UUID) -> str:
    """Return the place behind the row."""
    return text_cursor(f"{at.isoformat()} {key}")


def read_cursor(text: str | None) -> tuple[datetime, UUID] | None:
    """Return the row behind which the page begins; None for the first page.

    Raises:
        HTTPBadRequest: it is no cursor of ours.
    """
    if not text:
        return None
    try:
        at, _, key = read_text_cursor(text).partition(" ")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC), UUID(key)  # what is past the ends of time in UTC is past PostgreSQL's, too
    except (ValueError, OverflowError):
        raise _bad() from None


def text_cursor(text: str) -> str:
    """Return a cursor of a list that is ordered by a text."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_text_cursor(text: str | None) -> str:
    """Return the text behind which the page begins; empty for the first page.

    Raises:
        HTTPBadRequest: it is no cursor of ours.
    """
    if not text:
        return ""
    if len(text) > MAX_CHARS or not text.isascii():
        raise _bad()
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _bad() from None
    if "\0" in found:
        raise _bad()
    return found


def _bad() -> web.HTTPBadRequest:
    return web.HTTPBadRequest(reason="This cursor is invalid: begin again without it.")
