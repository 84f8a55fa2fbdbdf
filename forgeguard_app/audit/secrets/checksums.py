"""Checksums that providers put into their own values, verified without asking anybody.

GitHub's classic tokens (Engineering Blog, "Behind GitHub's new authentication token formats") and npm's end in six
base-62 digits: the CRC-32 of the thirty before them.
"""

from __future__ import annotations

import zlib

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY = 30
_TOTAL = 36


def base62(number: int, width: int) -> str:
    """Return the number in base 62, filled up with zeros to the width."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits.rjust(width, "0")


def crc32_holds(value: str) -> bool | None:
    """Return whether the value's own checksum is right; None where a value of this form has none."""
    body = value.partition("_")[2]
    if len(body) != _TOTAL or not body.isalnum():
        return None
    return base62(zlib.crc32(body[:_BODY].encode("ascii", "replace")), _TOTAL - _BODY) == body[_BODY:]
