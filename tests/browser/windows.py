"""A product in this process with a real browser in front of it, signed in without walking through GitHub's pages."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext

from forgeguard_app.simulator.state import Account
from tests.browser.walking import DESKTOP, PHONE, chromium
from tests.support.browsing import Browser
from tests.support.running import Product, running


@contextlib.asynccontextmanager
async def shared_product(postgres: str, folder: Path) -> AsyncIterator[tuple[Product, Chromium]]:
    """A product over a database of its own and a browser, for all tests of a module."""
    name = f"t{uuid.uuid4().hex}"
    admin = await asyncpg.connect(postgres.replace("/forgeguard?", "/postgres?"))
    try:
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE forgeguard")
        async with running(postgres.replace("/forgeguard?", f"/{name}?"), folder) as product, chromium() as browser:
            yield product, browser
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@contextlib.asynccontextmanager
async def signed_in(
    browser: Chromium,
    product: Product,
    user: Account,
    *,
    scripts: bool = True,
    phone: bool = False,
    dark: bool = False,
) -> AsyncIterator[BrowserContext]:
    """A browser of its own in which the person is signed in."""
    async with Browser(product) as visitor:
        await visitor.sign_in(user)
        jar = visitor.cookies[f"127.0.0.1:{product.address.rpartition(':')[2]}"]
    context = await browser.new_context(
        java_script_enabled=scripts,
        base_url=product.address,
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
    )
    context.set_default_timeout(20_000)
    await context.add_cookies([{"name": name, "value": value, "url": product.address} for name, value in jar.items()])
    yield context
    await context.close()
