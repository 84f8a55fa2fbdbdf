"""Reads a form that a browser sent, before anybody knows who asks: in time that its size bounds."""

from __future__ import annotations

from urllib.parse import parse_qsl

from aiohttp import web

MAX_FIELDS = 20_000


async def read_fields(request: web.Request, most_bytes: int | None = None) -> list[tuple[str, str]]:
    """Return the fields in their order; `most_bytes` where the form carries more than forms do.

    A form is UTF-8 in one form alone. The readers of others are slow on purpose-made bytes: multipart looks for a
    boundary line by line, and Python has encodings, which the sender may name, that take the square of their size.

    Raises:
        HTTPRequestEntityTooLarge, HTTPBadRequest: it is no form of ours.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPBadRequest(reason="This is not a form of ours.")
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise web.HTTPBadRequest(reason="This is not a form of ours: send it as UTF-8.")
    large = request if most_bytes is None else request.clone(client_max_size=most_bytes)
    data = await large.read()
    try:
        return parse_qsl(data.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise web.HTTPBadRequest(reason="The form cannot be read.") from None
