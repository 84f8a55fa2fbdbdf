"""Structured logs: one JSON object a line, with the delivery's and the audit run's id wherever there is one."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog

MAX_CHARS = 1_000  # of a text, apart from tracebacks
# The set-up link is logged to be opened: the log's reader is the operator.
_MEANT_TO_BE_READ = {("setup.open", "link")}
# It is tried once for each run of a token's characters: a run of `eyJ` would take the square of its size otherwise.
_WEB_TOKEN = re.compile(r"(?<![\w\-])(?:(?!eyJ)[\w\-])*+(eyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]*)")
_SECRET = re.compile(
    r"gh[pousr]_[A-Za-z0-9_.\-]{10,}|github_pat_\w{10,}|(?i:basic|bearer|token)\s+[A-Za-z0-9+/=_.\-]{16,}"
    r"|-----BEGIN[^-]*PRIVATE KEY-----.*|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",
    re.DOTALL,
)


def masked(text: str) -> str:
    """Return the text with everything that looks like one of our credentials taken out."""
    spans = [match.span() for match in _SECRET.finditer(text)] + [match.span(1) for match in _WEB_TOKEN.finditer(text)]
    parts, at = [], 0
    for start, end in sorted(spans):
        if start >= at:
            parts += [text[at:start], "***"]
        at = max(at, end)
    return "".join([*parts, text[at:]])


def _masking(mask: Callable[[str], str]) -> Callable[[Any, str, MutableMapping[str, Any]], MutableMapping[str, Any]]:
    def mask_texts(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if (event.get("event"), key) not in _MEANT_TO_BE_READ and key not in ("timestamp", "level"):
                text = _masked_in(value, mask)
                # Cut only now: the rest of a credential that was cut in the middle is not recognized any more.
                event[key] = text[:MAX_CHARS] if isinstance(text, str) and key != "exception" else text
        return event

    return mask_texts


def _masked_in(value: object, mask: Callable[[str], str]) -> object:
    """Return the value with every text in it masked; what is neither text nor number is given as its masked text."""
    match value:
        case str():
            return mask(masked(value))
        case dict():
            return {mask(str(key)): _masked_in(item, mask) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked_in(item, mask) for item in value]
        case None | bool() | int() | float() | UUID() | datetime():
            return value
        case _:
            return mask(masked(repr(value)))


def _json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode("utf-8", "replace")


def set_up_logs(level: int = logging.INFO, mask: Callable[[str], str] = masked) -> None:
    """Write JSON lines on standard error, ours and the libraries' alike; `mask` takes strangers' secrets out of every
    text.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _masking(mask),
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("aiohttp.access", "asyncio", "psycopg.pool", "procrastinate"):
        logging.getLogger(name).setLevel(logging.WARNING)
