"""Signatures and ciphertexts: bound to a purpose, to keys that may change, and to a time."""

from __future__ import annotations

import time

import pytest

from forgeguard_app.vault import Sealer, Signer, challenge_of, holds_now, sign_until, signature_holds, signature_of

OLD, NEW = b"o" * 32, b"n" * 32


@pytest.mark.parametrize(
    ("keys", "purpose", "text", "holds"),
    [
        ([OLD], "links", "audit/1", True),
        ([NEW, OLD], "links", "audit/1", True),  # the key was changed, and the old one is still accepted
        ([NEW], "links", "audit/1", False),
        ([OLD], "cookies", "audit/1", False),
        ([OLD], "links", "audit/2", False),
    ],
)
def test_a_signature_is_of_one_text_and_purpose(keys: list[bytes], purpose: str, text: str, holds: bool) -> None:
    assert Signer(keys, purpose).holds(text, Signer([OLD], "links").sign("audit/1")) is holds


@pytest.mark.parametrize(("after_s", "holds"), [(60, True), (-60, False)])
def test_a_signature_ends(after_s: int, holds: bool) -> None:
    signer = Signer([OLD], "links")
    signature = sign_until(signer, "audit/1", int(time.time()) + after_s)
    assert holds_now(signer, "audit/1", signature) is holds
    expiry, _, mark = signature.partition(".")
    assert not holds_now(signer, "audit/1", f"{int(expiry) + 10_000}.{mark}"), "its end is part of what is signed"


@pytest.mark.parametrize("signature", ["", ".", "1", "x.y", "٣.y", "9" * 400 + ".y", "1.\udcff", "-1.y"])
def test_a_signature_of_any_form_only_does_not_hold(signature: str) -> None:
    assert not holds_now(Signer([OLD], "links"), "audit/1", signature)


@pytest.mark.parametrize(
    ("keys", "purpose", "opened"),
    [([OLD], "tokens", "secret"), ([NEW, OLD], "tokens", "secret"), ([NEW], "tokens", None), ([OLD], "x", None)],
)
def test_what_is_sealed_opens_with_its_key_and_purpose_alone(
    keys: list[bytes], purpose: str, opened: str | None
) -> None:
    assert Sealer(keys, purpose).open(Sealer([OLD], "tokens").seal("secret")) == opened


@pytest.mark.parametrize("sealed", ["", "x", "\udcff", "gAAAA"])
def test_what_nobody_sealed_does_not_open(sealed: str) -> None:
    assert Sealer([OLD], "tokens").open(sealed) is None


def test_the_examples_of_the_standards() -> None:
    """GitHub's example of a webhook's signature, and RFC 7636's of a challenge (appendix B)."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature_of("It's a Secret to Everybody", b"Hello, World!") == signature
    assert signature_holds([b"other", b"It's a Secret to Everybody"], b"Hello, World!", signature)
    assert not signature_holds([b"other"], b"Hello, World!", signature)
    assert not signature_holds([b"other"], b"Hello, World!", None)
    challenge = challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
