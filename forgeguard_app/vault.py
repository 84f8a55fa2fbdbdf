"""Keys, signed links and signatures: the one home of cryptography."""

from __future__ import annotations

import base64
import hmac
import os
import secrets
import time
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LINK_LIFE_S = 30 * 86_400  # how long what is behind a signed link can be seen with it
_MAX_EXPIRY_CHARS = 12
_KEY_FILE = "secret_key"


def load_keys(configured: str | None, home: Path) -> tuple[bytes, ...]:
    """Return the keys, the first for signing and all for checking: as configured, else one kept under `home`."""
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
            os.link(fresh, path)  # the first process wins, and all read the same
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
        """Return the signature of the text, fit for an address."""
        return hmac.new(self._keys[0], text.encode(), sha256).hexdigest()[:40]

    def holds(self, text: str, signature: str) -> bool:
        """Return whether any of the keys signed the text."""
        given = signature.encode("utf-8", "replace")
        return any(
            hmac.compare_digest(hmac.new(key, text.encode(), sha256).hexdigest()[:40].encode(), given)
            for key in self._keys
        )


def sign_until(signer: Signer, text: str, expires_at: int) -> str:
    """Return a signature of the text that holds until a moment, which it names."""
    return f"{expires_at}.{signer.sign(f'{text}/{expires_at}')}"


def holds_now(signer: Signer, text: str, signature: str) -> bool:
    """Return whether the text was signed by `sign_until`, and the moment is not over."""
    expiry, _, mark = signature.partition(".")
    if not (expiry.isascii() and expiry.isdigit() and len(expiry) <= _MAX_EXPIRY_CHARS):
        return False
    return signer.holds(f"{text}/{int(expiry)}", mark) and time.time() < int(expiry)


class Sealer:
    """Encrypts for one purpose under the first key and opens what any of the keys sealed."""

    def __init__(self, keys: Iterable[bytes], purpose: str) -> None:
        self._fernets = MultiFernet([Fernet(base64.urlsafe_b64encode(_derived(key, purpose))) for key in keys])

    def seal(self, text: str) -> str:
        """Ciphertext, fit for a column or a cookie."""
        return self._fernets.encrypt(text.encode()).decode()

    def open(self, sealed: str, *, within_s: int | None = None) -> str | None:
        """Return the text; None where no key of ours sealed it, or not within the last seconds."""
        try:
            return self._fernets.decrypt(sealed.encode("utf-8", "replace"), ttl=within_s).decode()
        except InvalidToken:
            return None


def new_secret() -> str:
    """Return a random value that nobody guesses: 256 bits, fit for an address."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return what is kept of a random value, to recognize it; a value with so much randomness needs no salt."""
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636, 4.2)."""
    # https://www.rfc-editor.org/rfc/rfc7636#section-4.2
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def same(first: str, second: str) -> bool:
    """Return whether two values are the same, compared in constant time."""
    return hmac.compare_digest(first.encode("utf-8", "replace"), second.encode("utf-8", "replace"))


def signature_of(key: str, body: bytes) -> str:
    """Return X-ForgeGuard-Signature-256 of a body: its HMAC-SHA-256 under the key, as GitHub writes its own."""
    return "sha256=" + hmac.new(key.encode(), body, sha256).hexdigest()


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"forgeguard/{purpose}".encode()).derive(key)


def signature_holds(secrets_: Iterable[bytes], body: bytes, header: str | None) -> bool:
    """Return whether X-Hub-Signature-256 is the body's HMAC-SHA-256 under one of the secrets; compared in constant
    time.
    """
    if header is None or not header.startswith("sha256="):
        return False
    given = header.encode("utf-8", "surrogateescape")
    results = [
        hmac.compare_digest(b"sha256=" + hmac.new(secret, body, sha256).hexdigest().encode(), given)
        for secret in secrets_
        if secret
    ]
    return any(results)
