"""JSON Schemas for editors: of boundaries.json and of forgeguard.yml."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "schema_files"
NAMES = ("boundaries", "forgeguard")


async def show_schema(request: web.Request) -> web.StreamResponse:
    """GET /schemas/{name}.json; open to every origin, since editors in browsers ask too."""
    name = request.match_info["name"]
    if name not in NAMES:
        raise web.HTTPNotFound
    headers = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=3600"}
    return web.Response(
        text=(FOLDER / f"{name}.json").read_text("utf-8"), content_type="application/schema+json", headers=headers
    )
