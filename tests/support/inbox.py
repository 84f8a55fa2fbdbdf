"""A stranger's HTTPS address that takes messages, with a certificate of its own."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.running import free_port

TIMEOUT_S = 90.0


@dataclass
class Inbox:
    """What came: headers and body of each message. `answers` are the next statuses; 200 where there are none."""

    address: str
    trust: ssl.SSLContext
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def message(self, number: int) -> tuple[dict[str, str], bytes]:
        """The n-th message, from 0."""
        async with asyncio.timeout(TIMEOUT_S):
            while len(self.came) <= number:
                await asyncio.sleep(0.02)
        return self.came[number]


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")])
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1)
    )
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    paths = folder / "inbox.pem", folder / "inbox.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@contextlib.asynccontextmanager
async def inbox(folder: Path) -> AsyncIterator[Inbox]:
    """Listens on loopback."""
    certificate, key = _certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    port = free_port()
    box = Inbox(f"https://127.0.0.1:{port}/hook", ssl.create_default_context(cafile=str(certificate)))

    async def take(request: web.Request) -> web.Response:
        status = box.answers.pop(0) if box.answers else 200
        if status == 200:
            box.came.append((dict(request.headers), await request.read()))
        return web.Response(status=status, headers={"Location": "/other"} if status == 302 else {})

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    yield box
    await runner.cleanup()
