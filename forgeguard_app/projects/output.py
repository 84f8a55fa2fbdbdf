"""A builder's output as lines that can be kept and shown: no escape sequence, no control character, progress
understood.
"""

from __future__ import annotations

import json
import re

LEVELS = {"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error"}
MAX_CHARS = 4_000
# ECMA-48: CSI, OSC (to its bell or string terminator), other strings, and two-character escapes.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[@-Z\\-_]|[ -/]+[0-~])"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


def read_line(raw: bytes) -> list[tuple[str, str]]:
    """Return level and text of what is kept of a line.

    A line that is a JSON object with `message` is progress, its `level` as it says; a message may have several lines.
    """
    text = raw.decode("utf-8", "replace")
    if text.startswith("{") and text.rstrip().endswith("}") and (progress := _progress(text)):
        return progress
    return [("info", clean(text))]


def clean(text: str) -> str:
    """Return the text as it is shown; of a line that was written over itself, what was left standing."""
    text = _ESCAPES.sub("", text.rstrip("\r\n").rpartition("\r")[2])
    return _CONTROLS.sub("�", text.replace("\t", "    "))


def cut(text: str) -> str:
    """Return as much of a line as is kept. It is masked first: half of a value is not recognized any more."""
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def _progress(text: str) -> list[tuple[str, str]] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    message, level = value.get("message"), value.get("level", "info")
    if not isinstance(message, str) or not isinstance(level, str) or level.lower() not in LEVELS:
        return None
    return [(LEVELS[level.lower()], clean(line)) for line in message.splitlines() or [""]]


def says_nothing_needed(raw: bytes) -> bool:
    """Return whether the line says why the phase needs no change: JSON with `message` and `"nothing_needed": true`."""
    if b"nothing_needed" not in raw or _progress(text := raw.decode("utf-8", "replace")) is None:
        return False
    value = json.loads(text)
    return value.get("nothing_needed") is True and bool(value["message"].strip())
