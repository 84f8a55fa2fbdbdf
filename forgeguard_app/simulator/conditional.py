"""Conditional requests as GitHub answers them: an ETag depends on the credential and the body, a 304 costs no primary
limit.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests
"""

from __future__ import annotations

from hashlib import sha256

from aiohttp import web

from forgeguard_app.simulator.gate import INSTALLATION
from forgeguard_app.simulator.state import World

UNCHANGED = "304"


def conditional(request: web.Request, response: web.Response, world: World) -> web.Response:
    """Give a successful answer to a GET its ETag.

    Where the client has it already, answer 304 and note that among the requests.
    """
    if request.method != "GET" or response.status != 200:
        return response
    content = (
        request.headers.get("Authorization", "").encode()
        + b"\0"
        + (response.body if isinstance(response.body, bytes) else b"")
    )
    etag = f'W/"{sha256(content + response.headers.get("Link", "").encode()).hexdigest()}"'
    if etag in [part.strip() for part in request.headers.get("If-None-Match", "").split(",")]:
        world.requests.append((UNCHANGED, request.path))
        if (installation := request.get(INSTALLATION)) is not None:
            installation.used -= 1
        kept = {
            name: value for name, value in response.headers.items() if name.lower().startswith(("x-ratelimit", "link"))
        }
        return web.Response(status=304, headers={**kept, "ETag": etag})
    response.headers["ETag"] = etag
    return response
