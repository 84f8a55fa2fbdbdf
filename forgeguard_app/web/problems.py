"""Errors in the form people and programs read: RFC 9457 for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from aiohttp import web

PROBLEM = "application/problem+json"


def problem(
    status: int,
    detail: str,
    *,
    retry_after_s: int | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, str] | None = None,
) -> web.Response:
    """Return an application/problem+json answer; `detail` is ours and says what to do, `errors` name each place.

    `more` are members of our own, for our pages' scripts.
    """
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **(more or {}),
    }
    if errors:
        body["errors"] = [dict(error) for error in errors]
    sent = dict(headers or {}) | ({} if retry_after_s is None else {"Retry-After": str(retry_after_s)})
    return web.Response(status=status, text=json.dumps(body, ensure_ascii=False), content_type=PROBLEM, headers=sent)
