"""What each request to GitHub carries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from forgeguard_app.github.app_access import AppAccess, NotTheApp
from forgeguard_app.github.app_manifest import trade_manifest_code
from forgeguard_app.github.client import (
    AlreadyExists,
    Archived,
    Client,
    CommitNotFound,
    NoCommitsBetween,
    RequestRejected,
)
from forgeguard_app.github.oauth import OAuth, refresh, trade_code
from forgeguard_app.github.tokens import InstallationSuspended, InstallationUnavailable, TokenCache, TokenUnavailable
from tests.support.running import PRIVATE_KEY

MADE = {
    "id": 1,
    "slug": "s",
    "html_url": "h",
    "client_id": "c",
    "client_secret": "x",
    "pem": "p",
    "webhook_secret": "w",
}


@dataclass
class Recorder:
    """A server that keeps the headers of every request and gives one answer."""

    answer: object = field(default_factory=lambda: dict(MADE))
    status: int = 200
    headers: list[dict[str, str]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return web.json_response(self.answer, status=self.status)


@pytest.fixture
async def recorded() -> AsyncIterator[tuple[Client, Recorder]]:
    recorder, app = Recorder(), web.Application()
    app.router.add_route("*", "/{path:.*}", recorder.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        yield Client(session, f"http://127.0.0.1:{runner.addresses[0][1]}"), recorder
    await runner.cleanup()


async def test_requests_without_a_credential_carry_no_authorization_header(recorded: tuple[Client, Recorder]) -> None:
    client, recorder = recorded
    oauth = OAuth(client.base_url, "id", "secret")
    await trade_manifest_code(client, "code")
    recorder.answer = {"access_token": "ghu_x", "token_type": "bearer"}
    await trade_code(client, oauth, "code", "verifier", "http://127.0.0.1/login/callback")
    await refresh(client, oauth, "ghr_x")
    recorder.answer = [{"id": 1}]
    assert [item async for item in client.list("/public", most=1)] == [{"id": 1}]
    for method in ("GET", "POST", "PATCH", "PUT"):
        await client.ask(method, "/meta")
    assert len(recorder.headers) == 8
    assert not [sent for sent in recorder.headers if "authorization" in sent]
    assert all(sent["user-agent"] == "ForgeGuard" for sent in recorder.headers)


@pytest.mark.parametrize("value", ["", " ", "ghs_a b", "ghs_a\r\nX: y", "ghs_\u00e4"])
@pytest.mark.parametrize("kind", ["token", "app_jwt"])
async def test_an_empty_or_malformed_credential_is_never_sent(
    recorded: tuple[Client, Recorder], kind: str, value: str
) -> None:
    client, recorder = recorded
    given: dict[str, Any] = {kind: value}
    with pytest.raises(RequestRejected, match="credential"):
        await client.ask("GET", "/user", **given)
    with pytest.raises(RequestRejected, match="credential"):
        assert [item async for item in client.list("/user", most=1, **given)] == []
    assert recorder.headers == []


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"token": ""},
        {"token": "", "expires_at": "2030-01-01T00:00:00Z"},
        {"token": "ghs_x", "expires_at": 7},
        {"token": None, "expires_at": "2030-01-01T00:00:00Z"},
        {"token": "ghs_x", "expires_at": "soon"},
    ],
)
async def test_an_answer_without_a_token_is_a_fault_of_github_and_no_token(
    recorded: tuple[Client, Recorder], answer: object
) -> None:
    client, recorder = recorded
    recorder.answer = answer
    tokens = TokenCache(AppAccess(client, 7, (PRIVATE_KEY,)))
    with pytest.raises(TokenUnavailable, match="no installation token"):
        await tokens.get(1, 2)


@pytest.mark.parametrize("answer", [{}, [], {"access_token": ""}, {"access_token": None}, {"error": "bad"}])
async def test_a_code_that_gives_no_user_token_signs_nobody_in(
    recorded: tuple[Client, Recorder], answer: object
) -> None:
    client, recorder = recorded
    recorder.answer = answer
    with pytest.raises(RequestRejected):
        await trade_code(client, OAuth(client.base_url, "id", "secret"), "code", "verifier", "http://127.0.0.1/")


async def test_a_list_refused_to_the_app_hinders_no_other_list(recorded: tuple[Client, Recorder]) -> None:
    client, recorder = recorded
    recorder.answer = [{"id": 1}]
    app = AppAccess(client, 7, (PRIVATE_KEY,))
    await app.ask("GET", "/app")
    listed = app.list("/app/installations", most=5)
    recorder.status, recorder.answer = 401, {"message": "Bad credentials"}
    with pytest.raises(NotTheApp):
        await anext(app.list("/app/installations", most=5))
    recorder.status, recorder.answer = 200, [{"id": 2}]
    assert await anext(listed) == {"id": 2}
    assert all(sent["authorization"].startswith("bearer ey") for sent in recorder.headers)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (422, "No commit found for SHA: 1111", CommitNotFound),
        (422, "Validation Failed", RequestRejected),
        (404, "No commit found for SHA: 1111", RequestRejected),
        (422, "A pull request already exists for o:forgeguard.", AlreadyExists),
        (422, "Reference already exists", AlreadyExists),
        (422, "No commits between main and forgeguard", NoCommitsBetween),
        (403, "Repository was archived so is read-only.", Archived),
        (403, "Resource not accessible by integration", RequestRejected),
    ],
)
async def test_a_refusal_is_told_by_its_kind(
    recorded: tuple[Client, Recorder], status: int, message: str, kind: type[RequestRejected]
) -> None:
    client, recorder = recorded
    recorder.status, recorder.answer = status, {"message": message}
    with pytest.raises(RequestRejected) as rejected:
        await client.ask("GET", "/anything", token="ghs_x")
    assert type(rejected.value) is kind


async def test_a_suspended_installation_is_told_from_one_that_is_gone(recorded: tuple[Client, Recorder]) -> None:
    client, recorder = recorded
    recorder.status, recorder.answer = 403, {"message": "This installation has been suspended"}
    with pytest.raises(InstallationSuspended):
        await TokenCache(AppAccess(client, 7, (PRIVATE_KEY,))).get(1, 2)
    recorder.status, recorder.answer = 404, {"message": "Not Found"}
    with pytest.raises(InstallationUnavailable) as gone:
        await TokenCache(AppAccess(client, 7, (PRIVATE_KEY,))).get(1, 2)
    assert not isinstance(gone.value, InstallationSuspended)
