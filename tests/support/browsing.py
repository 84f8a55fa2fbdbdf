"""A person with a browser of their own, without a screen: cookies, forms and the simulated GitHub's pages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from types import TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp
from yarl import URL

from forgeguard_app.simulator.state import Account

if TYPE_CHECKING:
    from tests.support.running import Product

PAGE = {"Accept": "text/html"}


def collapsed(html: str) -> str:
    """Return the page with white space as a browser shows it: one blank, but for sources and fields."""
    parts = re.split(r"(<(pre|textarea)\b.*?</\2>)", html, flags=re.S)
    del parts[2::3]  # the names of the tags
    return "".join(part if number % 2 else re.sub(r"\s+", " ", part) for number, part in enumerate(parts)).replace(
        "<br> ", "<br>"
    )


def plain(page: str) -> str:
    """Return the page without the marks that isolate the texts of strangers."""
    return re.sub("</?bdi>", "", page)


class Visitor:
    """`async with Visitor(address) as visitor:`; follows redirects, keeps cookies by host and port apart as paths
    do.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        self.cookies: dict[str, dict[str, str]] = {}
        self.address = ""
        self.text = ""
        self.status = 0
        self.headers: Mapping[str, str] = {}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, address: str, *, follow: bool = True) -> int:
        """Opens an address, on our server unless it says where."""
        return await self._go("GET", address, None, follow=follow)

    async def post(
        self, address: str, form: Mapping[str, str], *, follow: bool = True, headers: Mapping[str, str] | None = None
    ) -> int:
        """Sends a form as the page that is open would."""
        return await self._go("POST", address, dict(form), follow=follow, headers=headers)

    async def submit(self, address: str, **fields: str) -> int:
        """Send the open page's form for the address, with the fields filled in."""
        form = next(
            text for text in re.findall(r"<form.*?</form>", self.text, re.S) if f'action="{address}"' in unescape(text)
        )
        hidden = {
            name: unescape(value)
            for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
        }
        return await self.post(address, hidden | fields)

    async def sign_in(self, user: Account, return_to: str = "/") -> None:
        """Through GitHub's own pages."""
        await self.get(f"/login?return_to={return_to}")
        if 'action="/session"' in self.text:
            await self.submit("/session", login=user.login)
        if 'action="/login/oauth/authorize"' in self.text:
            await self.submit("/login/oauth/authorize", answer="yes")

    async def _go(
        self,
        method: str,
        address: str,
        form: dict[str, str] | None,
        *,
        follow: bool,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        url = URL(self.address or self.site).join(URL(address, encoded=True))
        for _ in range(10):
            jar = self.cookies.setdefault(f"{url.host}:{url.port}", {})
            sent = {**PAGE, "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()), **(headers or {})}
            if method == "POST" and headers is None:
                sent["Sec-Fetch-Site"] = "same-origin"
            async with self._session.request(method, url, data=form, headers=sent, allow_redirects=False) as answer:
                for name, morsel in answer.cookies.items():
                    jar[name] = morsel.value
                    if not morsel.value or morsel["max-age"] == "0":
                        jar.pop(name)
                self.address, self.status, self.headers = str(url), answer.status, answer.headers
                self.text = await answer.text() if answer.content_type != "text/event-stream" else ""
                if answer.content_type == "text/html":
                    self.text = collapsed(self.text)
                if not follow or answer.status not in (301, 302, 303, 307, 308):
                    return answer.status
                url, method, form = url.join(URL(answer.headers["Location"], encoded=True)), "GET", None
        raise AssertionError("a circle of redirects")

    def home(self) -> None:
        """Back on our server."""
        self.address = self.site


class Browser(Visitor):
    """A visitor of a product that a test runs."""

    def __init__(self, product: Product) -> None:
        super().__init__(product.address)
        self.product = product
