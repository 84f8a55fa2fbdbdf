"""Limits requests of pages: by person, by address where nobody is signed in, and by address at all."""

from __future__ import annotations

import structlog
from aiohttp import web

from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.web.api.rates import Rates
from forgeguard_app.web.clients import client_of, is_within, network_of
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.session import SESSION, cookie_name, find_person

BEFORE_SIGN_IN = (
    10  # times what a person may: all who share an address, and badges, which GitHub's proxy fetches for everybody
)
NETWORK_SHARE = 4  # times what an address may: a network of IPv6, of which one customer has all addresses
log = structlog.get_logger()
# Changes by one person, each of which the audit log keeps for a year: some 5,000 a day, of half a kilobyte each.
DEEDS_PER_MINUTE, DEEDS_AT_ONCE = 3, 1_000
_READS = ("GET", "HEAD", "OPTIONS")
_FREE = ("/static/", "/webhooks/", "/healthz", "/readyz", "/metrics", "/favicon.ico")
_COARSE = ("/badges/", "/api/v1/")  # the API has limits of its own


class PageRates:
    """Counts the requests for pages in this process."""

    def __init__(self, per_minute: int) -> None:
        self._of_address, self._of_asker = Rates(per_minute * BEFORE_SIGN_IN), Rates(per_minute)
        self._of_network = Rates(per_minute * BEFORE_SIGN_IN * NETWORK_SHARE)
        self._deeds = Rates(DEEDS_PER_MINUTE, DEEDS_AT_ONCE)
        self._has_said = False

    def take_deed(self, person: Person) -> int | None:
        """Count a change by the person; None where it may go on, else the seconds to wait."""
        return self._deeds.take(str(person.user_id))

    async def take(self, request: web.Request) -> None:
        """Count the request.

        Raises:
            HTTPTooManyRequests: there were too many within the last minute.
        """
        if request.path.startswith(_FREE):
            return
        address = client_of(request)
        self._say_untrusted(request)
        _refuse(self._of_address.take(address))
        if (network := network_of(address)) != address:
            _refuse(self._of_network.take(network))
        if request.path.startswith(_COARSE):
            return
        person = await _asker(request)
        _refuse(self._of_asker.take(address if person is None else f"user {person.user_id}"))
        if person is not None and request.method not in _READS:
            _refuse(self.take_deed(person))

    def _say_untrusted(self, request: web.Request) -> None:
        """Say once that a proxy is not trusted: all who come through it count as one address."""
        peer, proxies = request.remote or "", request.app[CONTEXT].trusted_proxies
        if not self._has_said and "X-Forwarded-For" in request.headers and not is_within(peer, proxies):
            self._has_said = True
            remedy = "if it is your reverse proxy, name it in FORGEGUARD_TRUSTED_PROXIES: all its clients count as one"
            log.warning("proxy.untrusted", address=peer, remedy=remedy)


async def _asker(request: web.Request) -> Person | None:
    if "Authorization" in request.headers or cookie_name(request.app[CONTEXT], SESSION) not in request.cookies:
        return None
    return await find_person(request)


def _refuse(wait_s: int | None) -> None:
    if wait_s is not None:
        reason = f"Too many requests; ask again in {wait_s} s."
        raise web.HTTPTooManyRequests(reason=reason, headers={"Retry-After": str(wait_s)})


PAGE_RATES: web.AppKey[PageRates] = web.AppKey("PAGE_RATES")
