"""Static files: kept by browsers for good, packed, and another address once they change."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from forgeguard_app.web.static_files import StaticFiles
from tests.support.running import Product


async def fetched(product: Product, path: str, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(product.address + path, headers=sent) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


async def test_what_a_page_loads_is_kept_for_good_and_packed(product: Product) -> None:
    _, headers, _ = await fetched(product, "/rules", Accept_Encoding="gzip")
    assert headers["Content-Encoding"] == "gzip", "pages are packed too"
    _, _, page = await fetched(product, "/rules", Accept_Encoding="identity")
    addresses = re.findall(r'(?:src|href|data-hub)="(/static/[^"]+)"', page.decode())
    assert {address.rpartition("/")[2] for address in addresses} >= {
        "style.css",
        "live.js",
        "hub.js",
        "htmx.min.js",
        "icon.svg",
    }
    for address in set(addresses):
        assert re.fullmatch(r"/static/[0-9a-f]{16}/[\w.]+", address), address
        status, headers, body = await fetched(product, address, Accept_Encoding="gzip")
        assert status == 200
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert headers["Vary"] == "Accept-Encoding"
        _, plain_headers, plain = await fetched(product, address, Accept_Encoding="gzip;q=0, identity")
        assert "Content-Encoding" not in plain_headers
        assert headers.get("Content-Encoding") == "gzip" or not address.endswith((".js", ".css"))
        if headers.get("Content-Encoding") == "gzip":
            assert (gzip.decompress(body), len(body) < len(plain)) == (plain, True)
        else:
            assert body == plain
        for tag in (headers["ETag"], f'"other", {headers["ETag"]}'):
            assert (await fetched(product, address, Accept_Encoding="gzip", If_None_Match=tag))[0] == 304
        assert headers["ETag"] != plain_headers["ETag"] or "Content-Encoding" not in headers


async def test_an_old_address_gives_todays_file_and_is_not_kept(product: Product) -> None:
    status, headers, _ = await fetched(product, "/static/0123456789abcdef/style.css")
    assert (status, headers["Cache-Control"]) == (200, "public, no-cache")
    assert (await fetched(product, "/static/style.css"))[1]["Cache-Control"] == "public, no-cache"
    for absent in (
        "/static/none.css",
        "/static/..%2Fserver.py",
        "/static/0123456789abcdef/none.css",
        "/static/",
        "/static/x/style.css",
    ):
        assert (await fetched(product, absent))[0] == 404, absent


async def test_a_browser_that_asks_for_a_favicon_gets_one(product: Product) -> None:
    status, headers, body = await fetched(product, "/favicon.ico")
    assert (status, headers["Content-Type"], body[:4]) == (200, "image/x-icon", b"\0\0\1\0")


def test_a_file_that_changed_has_another_address(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a { color: red }")
    before = StaticFiles(tmp_path).address("a.css")
    (tmp_path / "a.css").write_text("a { color: blue }")
    assert StaticFiles(tmp_path).address("a.css") != before
