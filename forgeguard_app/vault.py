"""Keys, signed links and signatures: the one home of cryptography."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_FILE = "secret_key"


def load_keys(configured: str | None, home: Path) -> tuple[bytes, ...]:
    """The keys, the first for signing and all for checking: as configured, else one kept under `home`."""
    if configured:
        return tuple(part.strip().encode() for part in configured.split(",") if part.strip())
    home.mkdir(parents=True, exist_ok=True, mode=0o711)
    path = home / _KEY_FILE
    fresh = path.with_name(f"{_KEY_FILE}.{os.getpid()}")
    try:
        return (path.read_bytes().strip(),)
    except FileNotFoundError:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_urlsafe(48).encode())
        try:
            os.link(fresh, path)  # whoever comes first wins, and everybody reads the same
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
        return (path.read_bytes().strip(),)


class Signer:
    """Signs links for one purpose; keys of different purposes are never the same."""

    def __init__(self, keys: Iterable[bytes], purpose: str) -> None:
        self._keys = [_derived(key, purpose) for key in keys]

    def sign(self, text: str) -> str:
        """The signature of the text, fit for an address."""
        return hmac.new(self._keys[0], text.encode(), sha256).hexdigest()[:40]

    def holds(self, text: str, signature: str) -> bool:
        """Whether any of the keys signed the text."""
        given = signature.encode("utf-8", "replace")
        return any(
            hmac.compare_digest(hmac.new(key, text.encode(), sha256).hexdigest()[:40].encode(), given)
            for key in self._keys
        )


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"forgeguard/{purpose}".encode()).derive(key)


def signature_holds(secrets_: Iterable[bytes], body: bytes, header: str | None) -> bool:
    """Whether X-Hub-Signature-256 is the body's HMAC-SHA-256 under one of the secrets; compared in constant time."""
    if header is None or not header.startswith("sha256="):
        return False
    given = header.encode("utf-8", "surrogateescape")
    results = [
        hmac.compare_digest(b"sha256=" + hmac.new(secret, body, sha256).hexdigest().encode(), given)
        for secret in secrets_
        if secret
    ]
    return any(results)
