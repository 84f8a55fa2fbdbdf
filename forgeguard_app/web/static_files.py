"""Static files: read once, at addresses that hold their digest, so that browsers keep them until they change."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

FOREVER = "public, max-age=31536000, immutable"
CHECKED = "public, no-cache"  # kept, and asked for again by its ETag
DIGEST_CHARS = 16
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".ico": "image/x-icon"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file; `packed` is its gzip form, None where that is no smaller."""

    digest: str
    content_type: str
    body: bytes
    packed: bytes | None


class StaticFiles:
    """The files of a folder, by name."""

    def __init__(self, folder: Path) -> None:
        self._files = {path.name: _read(path) for path in sorted(folder.iterdir()) if path.is_file()}

    def address(self, name: str) -> str:
        """Return the address of a file, which is another one once the file changed."""
        return f"/static/{self._files[name].digest}/{name}"

    async def show(self, request: web.Request) -> web.Response:
        """Answer a file: for good at the address of its digest, else to be checked each time."""
        return self.answer(request, request.match_info["name"], request.match_info.get("digest", ""))

    async def show_icon(self, request: web.Request) -> web.Response:
        """Answer /favicon.ico, for which browsers ask wherever no page names an icon."""
        return self.answer(request, "favicon.ico", "")

    def answer(self, request: web.Request, name: str, digest: str) -> web.Response:
        """Answer the file `name`.

        Raises:
            HTTPNotFound: there is no such file.
        """
        file = self._files.get(name)
        if file is None:
            raise web.HTTPNotFound
        packs = file.packed is not None and _takes_gzip(request)
        tag = f'"{file.digest}{"-gzip" if packs else ""}"'
        headers = {
            # An old page, open since before the files changed, gets today's file and does not keep it.
            "Cache-Control": FOREVER if digest == file.digest else CHECKED,
            "ETag": tag,
            "Vary": "Accept-Encoding",
        }
        if tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        headers |= {"Content-Type": file.content_type} | ({"Content-Encoding": "gzip"} if packs else {})
        return web.Response(body=file.packed if packs else file.body, headers=headers)


STATIC: web.AppKey[StaticFiles] = web.AppKey("STATIC")


def _read(path: Path) -> StaticFile:
    body = path.read_bytes()
    packed = gzip.compress(body, 9, mtime=0)
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    kind += "; charset=utf-8" if kind.startswith("text/") else ""
    return StaticFile(
        hashlib.sha256(body).hexdigest()[:DIGEST_CHARS], kind, body, packed if len(packed) < len(body) else None
    )


def _takes_gzip(request: web.Request) -> bool:
    """Return whether the browser takes gzip; `gzip;q=0` refuses it."""
    for offer in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, rest = offer.partition(";")
        if coding.strip() in ("gzip", "*"):
            return rest.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
