"""What arrives before anybody is known: bodies, headers and connections that would hold the server are ended."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from forgeguard_app.settings import networks_of
from forgeguard_app.vault import signature_of
from forgeguard_app.web import connections
from forgeguard_app.web.clients import group_of, network_of, origin_of
from forgeguard_app.web.connections import MOST_OF_ADDRESS, UNSIGNED_OF_ADDRESS, Runner, Unsigned
from forgeguard_app.web.page_rates import BEFORE_SIGN_IN, NETWORK_SHARE
from tests.support.browsing import Browser
from tests.support.running import Product, free_port, running


@pytest.fixture
async def hasty(dsn: str, tmp_path: Path) -> AsyncIterator[Product]:
    """A product that waits for nothing."""
    async with running(dsn, tmp_path / "hasty", worker=False, body_s=0.1, header_s=0.1) as product:
        yield product


async def received(product: Product, sent: bytes) -> bytes:
    """Return all that the server says until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(product.address.rpartition(":")[2]))
    writer.write(sent)
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            return await reader.read()
    return b""


async def test_a_compressed_body_is_refused_and_never_inflated(hasty: Product) -> None:
    bomb = gzip.compress(b"\0" * (20 << 20))
    for path in ("/healthz", "/webhooks/github", "/logout", "/api/v1/projects"):
        async with hasty.session.post(
            hasty.address + path, data=bomb, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 415, path


async def test_no_body_is_inflated_before_a_handler_sees_it(hasty: Product) -> None:
    async def measure(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    app, bomb = web.Application(), gzip.compress(b"\0" * (20 << 20))
    app.router.add_post("/", measure)
    runner, port = Runner(app, shutdown_s=0.2), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    headers = {"Content-Encoding": "gzip"}
    async with hasty.session.post(f"http://127.0.0.1:{port}/", data=bomb, headers=headers) as answer:
        assert int(await answer.text()) == len(bomb)
    await runner.cleanup()


@pytest.mark.parametrize("path", ["/projects", "/repos/x/y/configuration/try"])
async def test_a_multipart_form_is_refused_before_it_is_parsed(hasty: Product, path: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    body = b'--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\nv\r\n--x--\r\n'
    for sent in (body, b"\n" * 150_000):
        async with hasty.session.post(hasty.address + path, data=sent, headers=headers) as answer:
            assert answer.status == 400
            assert "not a form of ours" in await answer.text()


@pytest.mark.parametrize("charset", ["punycode", "idna", "utf-7", "utf-16", "rot13", "unknown"])
async def test_a_form_in_another_encoding_is_refused_before_it_is_decoded(hasty: Product, charset: str) -> None:
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    body = b"-e28h" + b"a" * 150_000
    async with hasty.session.post(hasty.address + "/projects", data=body, headers=headers) as answer:
        assert answer.status == 400
        assert "send it as UTF-8" in await answer.text()


async def test_what_never_ends_is_ended(hasty: Product, caplog: pytest.LogCaptureFixture) -> None:
    assert await received(hasty, b"") == b""
    assert await received(hasty, b"GET /healthz HTTP/1.1\r\nHost: x\r\n") == b""
    head = (
        b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nAccept: */*\r\n\r\n{"
    )
    assert b" 408 " in (await received(hasty, head % b"/webhooks/github"))[:20]
    assert b" 401 " in (await received(hasty, head % b"/api/v1/projects"))[:20]
    assert "Unhandled" not in caplog.text


async def test_an_address_has_so_many_connections_and_others_have_theirs(hasty: Product) -> None:
    port = int(hasty.address.rpartition(":")[2])
    async with hasty.session.get(hasty.address + "/healthz") as answer:
        assert answer.status == 200
    writers = [
        (await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)))[1]
        for _ in range(MOST_OF_ADDRESS)
    ]
    reader, last = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0))
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    async with hasty.session.get(hasty.address + "/healthz") as answer:
        assert answer.status == 200
    for writer in [*writers, last]:
        writer.close()


async def test_unsigned_bodies_are_bounded_together_and_let_go(hasty: Product) -> None:
    unsigned, ended = Unsigned(), asyncio.Event()
    with (
        unsigned.reading("a", ended.set) as first,
        unsigned.reading("a", ended.set) as second,
        unsigned.reading("b", ended.set) as other,
    ):
        assert first(UNSIGNED_OF_ADDRESS // 2)
        assert second(UNSIGNED_OF_ADDRESS // 2)
        assert not second(1)
        assert other(UNSIGNED_OF_ADDRESS)
    with unsigned.reading("a", ended.set) as again:
        assert again(UNSIGNED_OF_ADDRESS)
    assert not ended.is_set()
    body = b'{"zen": "x", "hook_id": 1}'
    headers = {
        "X-Hub-Signature-256": signature_of(hasty.secret, body),
        "X-GitHub-Event": "ping",
        "X-GitHub-Delivery": "11111111-1111-1111-1111-111111111111",
        "Content-Type": "application/json",
    }
    async with hasty.session.post(f"{hasty.address}/webhooks/github", data=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


def test_the_bodies_that_end_for_others_sake_are_of_the_network_that_sends_the_most() -> None:
    unsigned, ended = Unsigned(), list[str]()
    with contextlib.ExitStack() as stack:
        honest = stack.enter_context(unsigned.reading("192.0.2.1", lambda: ended.append("honest")))
        assert honest(3 << 20)
        for number in range(200):
            address = f"2001:db8:1:{number:x}::/64"
            grow = stack.enter_context(unsigned.reading(address, lambda: ended.append("neighbour")))
            grow(900 << 10)
        assert honest(1 << 20)
    assert set(ended) == {"neighbour"}


async def test_every_answer_is_marked_and_names_no_versions(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "marked", worker=False) as product:
        product.web_context.app.address = "https://guard.example.com"
        key = "00000000-0000-4000-8000-000000000000"
        for path in ("/", f"/events?of=repo/{key}~&once=1", "/nothing", "/static/nothing", "/api/v1/me", "/healthz"):
            async with product.session.get(product.address + path) as answer:
                assert answer.headers["Server"] == connections.SERVER, path
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path
                assert answer.headers["X-Content-Type-Options"] == "nosniff", path
                assert answer.headers["Strict-Transport-Security"] == "max-age=31536000", path
        assert b"aiohttp" not in await received(product, b"NONSENSE\r\n\r\n")


async def test_figures_are_for_neighbours_and_not_for_what_an_unknown_proxy_passes_on(dsn: str, tmp_path: Path) -> None:
    async with running(
        dsn, tmp_path / "figures", worker=False, proxies="127.0.0.9", metrics_from="127.0.0.0/8"
    ) as product:
        for headers, status in (
            ({}, 200),
            ({"X-Forwarded-For": "127.0.0.1"}, 404),
            ({"Forwarded": "for=127.0.0.1"}, 404),
        ):
            async with product.session.get(f"{product.address}/metrics", headers=headers) as answer:
                assert answer.status == status
            async with product.session.get(f"{product.address}/readyz", headers=headers) as answer:
                assert answer.status == 200
                assert ("checks" in await answer.json()) == (status == 200)


async def test_who_asks_too_often_is_told_to_wait_and_others_are_not(dsn: str, tmp_path: Path) -> None:
    async with running(
        dsn, tmp_path / "rates", worker=False, proxies="127.0.0.1", pages_per_minute=3, api_per_minute=3
    ) as product:

        async def status(path: str, **headers: str) -> int:
            address = {"X-Forwarded-For": "198.51.100.1"} | {
                name.replace("_", "-"): text for name, text in headers.items()
            }
            async with product.session.get(product.address + path, headers=address, allow_redirects=False) as answer:
                assert (answer.status == 429) == ("Retry-After" in answer.headers)
                return answer.status

        key = "00000000-0000-4000-8000-000000000000"
        for path, other in (("/rules", 200), (f"/api/v1/repos/{key}", 404)):
            assert [await status(path) for _ in range(4)] == [other] * 3 + [429], path
            assert await status(path, X_Forwarded_For="198.51.100.2") == other
        assert [await status("/healthz") for _ in range(40)] == [200] * 40
        async with Browser(product) as browser:
            await browser.get("/login", follow=False)
            assert await browser.get("/rules") == 200, "the proxy's own address has a share of its own"


async def test_many_addresses_of_one_network_have_one_share(dsn: str, tmp_path: Path) -> None:
    async with running(dsn, tmp_path / "net", worker=False, proxies="127.0.0.1", pages_per_minute=1) as product:

        async def status(address: str) -> int:
            headers = {"X-Forwarded-For": address}
            async with product.session.get(f"{product.address}/rules", headers=headers) as answer:
                return answer.status

        share = BEFORE_SIGN_IN * NETWORK_SHARE
        assert [await status(f"2001:db8:1:{number:x}::1") for number in range(share)] == [200] * share
        assert await status("2001:db8:1:ffff::1") == 429
        assert await status("2001:db8:2::1") == 200


async def test_a_proxy_that_is_not_trusted_is_said_once(hasty: Product, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        async with hasty.session.get(f"{hasty.address}/rules", headers={"X-Forwarded-For": "198.51.100.1"}) as answer:
            assert answer.status == 200
    assert capsys.readouterr().out.count("proxy.untrusted") == 1


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.9", "", "192.0.2.9"),
        ("192.0.2.9", "198.51.100.1", "192.0.2.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.7", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
    ],
)
def test_a_client_address_is_taken_from_trusted_proxies_alone(peer: str, forwarded: str, client: str) -> None:
    assert origin_of(peer, forwarded, networks_of("10.0.0.0/8")) == client


def test_addresses_of_one_subscriber_count_together() -> None:
    assert group_of("2001:db8::1") == group_of("2001:db8::ffff:1") != group_of("2001:db8:0:1::1")
    assert group_of("::ffff:192.0.2.1") == "192.0.2.1"


async def test_bodies_of_strangers_that_do_not_end_keep_no_delivery_out(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNSIGNED", 600_000)
    async with running(dsn, tmp_path / "p", worker=False) as product, contextlib.AsyncExitStack() as stack:
        host, _, port = product.address.removeprefix("http://").partition(":")
        head = (
            b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
            b"9000000\r\n\r\n"
        )
        answers = []
        for number in range(2, 8):
            reader, writer = await asyncio.open_connection(host, int(port), local_addr=(f"127.0.0.{number}", 0))
            stack.callback(writer.close)
            writer.write(head + b"x" * 100_000)
            answers.append(reader)
        body = json.dumps({"zen": "z" * 50_000, "hook_id": 1}).encode()
        headers = {
            "X-Hub-Signature-256": signature_of(product.secret, body),
            "X-GitHub-Event": "ping",
            "X-GitHub-Delivery": "0123456789",
            "Content-Type": "application/json",
        }
        for _ in range(3):
            await asyncio.sleep(0.2)
            async with product.session.post(f"{product.address}/webhooks/github", data=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
        async with asyncio.timeout(5):
            ended, _ = await asyncio.wait(
                [asyncio.create_task(reader.readline()) for reader in answers], return_when=asyncio.FIRST_COMPLETED
            )
        assert {task.result().split()[1] for task in ended} == {b"503"}


async def test_many_idle_connections_keep_nobody_out(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 40)
    async with running(dsn, tmp_path / "p", worker=False) as product, contextlib.AsyncExitStack() as stack:
        port, held = int(product.address.rpartition(":")[2]), []
        for number in range(2, 6):
            for _ in range(12):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(f"127.0.0.{number}", 0))
                stack.callback(writer.close)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                held.append(reader)
        for _ in range(3):
            assert await received(product, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")


def test_neighbours_in_one_ipv6_network_are_counted_together_where_all_is_full() -> None:
    assert network_of(group_of("2001:db8:1:2::3")) == network_of(group_of("2001:db8:1:ffff::1")) == "2001:db8:1::/48"
    assert network_of("192.0.2.1") == "192.0.2.1"
