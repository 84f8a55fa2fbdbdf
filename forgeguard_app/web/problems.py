"""Errors in the form people and programs read: RFC 9457 for programs."""

from __future__ import annotations

import json
from http import HTTPStatus

from aiohttp import web


def problem(status: int, detail: str, *, retry_after_s: int | None = None) -> web.Response:
    """An application/problem+json answer; `detail` is ours and says what to do."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return web.Response(
        status=status,
        text=json.dumps(body, ensure_ascii=False),
        content_type="application/problem+json",
        headers=headers,
    )
