"""What GitHub says of an App that it does not know is no word on an installation or a repository."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forgeguard_app.github.app_access import AppAccess, NotTheApp
from forgeguard_app.github.client import Client
from forgeguard_app.github.tokens import InstallationUnavailable, TokenCache, TokenUnavailable
from tests.support.asking import APP_ID, OTHER_PRIVATE, PRIVATE, Place, asking


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with asking(tmp_path) as made:
        yield made


async def test_a_wrong_app_id_or_key_takes_no_installation_for_gone(place: Place) -> None:
    client = Client(place.session, place.github.api_url)
    for app_id, key in ((APP_ID + 1, PRIVATE), (APP_ID, OTHER_PRIVATE)):
        with pytest.raises(NotTheApp):
            await TokenCache(AppAccess(client, app_id, (key,))).get(place.installation.id, place.repository.id)
    app = AppAccess(client, APP_ID, (OTHER_PRIVATE, PRIVATE))
    assert (await TokenCache(app).get(place.installation.id, place.repository.id)).value.startswith("ghs_")
    with pytest.raises(InstallationUnavailable):
        await TokenCache(app).get(1, place.repository.id)


async def test_an_app_that_was_deleted_at_github_takes_no_installation_for_gone(place: Place) -> None:
    place.github.world.app = None
    with pytest.raises(NotTheApp):
        await TokenCache(AppAccess(Client(place.session, place.github.api_url), APP_ID, (PRIVATE,))).get(
            place.installation.id, place.repository.id
        )


async def test_keys_that_never_get_a_token_leave_nothing_behind(place: Place) -> None:
    tokens = TokenCache(AppAccess(Client(place.session, place.github.api_url), APP_ID, (PRIVATE,)))
    for number in range(3):
        with pytest.raises((InstallationUnavailable, TokenUnavailable)):
            await tokens.get(10_000 + number, place.repository.id)
    assert not tokens._locks


async def test_each_page_of_a_list_is_asked_for_with_a_jwt_that_holds(place: Place) -> None:
    for _ in range(250):
        place.github.webhooks.send("ping", {"zen": "Keep it logically awesome.", "hook_id": 1})
    await place.github.webhooks.settle()
    app = AppAccess(Client(place.session, place.github.api_url), APP_ID, (PRIVATE,))
    listed = 0
    async for _ in app.list("/app/hook/deliveries?per_page=100", most=1_000):
        listed += 1
        place.github.world.skew_s += 7.0
    assert listed == len(place.github.world.deliveries)
