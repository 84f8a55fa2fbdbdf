"""Secrets of many kinds for tests that plant them, and the search for what is left of them in an output."""

from __future__ import annotations

import base64
import random
import string

_WORD = string.ascii_letters + string.digits
_BASE32 = string.ascii_uppercase + "234567"
LEFT_CHARS = 8  # as many characters in a row give a secret away


def drawn(source: random.Random, alphabet: str, number: int) -> str:
    """As many random characters."""
    return "".join(source.choice(alphabet) for _ in range(number))


def plant(source: random.Random) -> str:
    """A value as a provider or a password manager makes it."""
    match source.randrange(7):
        case 0:
            return "gh" + "p_" + drawn(source, _WORD, 36)
        case 1:
            return "AK" + "IA" + drawn(source, _BASE32, 16)
        case 2:
            return "sk_" + "live_" + drawn(source, _WORD, 24)
        case 3:
            return "xox" + "b-" + f"{source.randrange(10**11, 10**12)}-{drawn(source, _WORD, 24)}"
        case 4:
            return base64.urlsafe_b64encode(source.randbytes(30)).decode()
        case 5:
            return drawn(source, string.hexdigits[:16], 40)
        case _:
            return drawn(source, _WORD, source.randrange(28, 44))


def remains(secret: str, output: str) -> list[str]:
    """The parts of the secret that stand in the output; a provider's fixed prefix is none."""
    secret = secret.removeprefix("sk_" + "live_").removeprefix("xox" + "b-")
    parts = (secret[at : at + LEFT_CHARS] for at in range(len(secret) - LEFT_CHARS + 1))
    return [part for part in parts if part in output]
