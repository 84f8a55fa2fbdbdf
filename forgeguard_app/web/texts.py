"""Texts of strangers and times as pages show them: the filters of all templates.

A commit message, a branch, a path or a name comes from somebody whom we do not know: `foreign` isolates its direction,
and shows characters that act (U+202E) instead of letting them act. `prose` does so for sentences of ours that quote
such texts, and renders their `code`. A time is always UTC, and says so.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import jinja2
from markupsafe import Markup

from forgeguard_app.audit.masked_text import masked_path, shown
from forgeguard_app.audit.plain_text import escaped_lines

MAX_PROSE_CHARS = 20_000
MAX_LINE_CHARS = 200
_STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (30, "day"), (12, "month"))
_TICKS = re.compile(r"(`+)")


def add_filters(env: jinja2.Environment) -> None:
    """Make the filters known to the templates."""
    env.filters.update(
        ago=ago,
        ago_words=ago_words,
        day=day,
        first_line=first_line,
        foreign=foreign,
        plain=plain,
        prose=prose,
        source=source,
        utc=utc,
    )


def first_line(text: str | None) -> str:
    """Return the first line of a message, without its end where it is long."""
    return masked_path((text or "").partition("\n")[0], limit_chars=10 * MAX_LINE_CHARS)[:MAX_LINE_CHARS]


def plain(text: object) -> str:
    """Return the text for a place that holds no markup: a title, an attribute."""
    return shown(str(text), MAX_PROSE_CHARS)


def foreign(text: object) -> Markup:
    """Return one line of a stranger's text without secrets, its direction isolated from what stands around it."""
    return Markup("<bdi>{}</bdi>").format(shown(str(text), MAX_PROSE_CHARS))


def source(text: object) -> str:
    """Return lines of a file, their tabs kept, with acting characters shown: code reads as it runs."""
    return escaped_lines(str(text))


def prose(text: object) -> Markup:
    """Return sentences, direction isolated, with `code` between backticks as CommonMark reads it; no other markup."""
    parts = _TICKS.split(escaped_lines(str(text)[:MAX_PROSE_CHARS]))
    shown, at = Markup(), 0
    closes = _closing(parts)
    while at < len(parts):
        end = closes.get(at)
        if end is None:
            shown += parts[at]
            at += 1
        else:
            shown += Markup("<code>{}</code>").format(_inside("".join(parts[at + 1 : end])))
            at = end + 1
    return Markup("<bdi>{}</bdi>").format(shown)


def _closing(parts: list[str]) -> dict[int, int]:
    """Return, for each run of backticks that opens code, the next run of the same length."""
    following: dict[int, int] = {}
    found = {}
    for at in range(len(parts) - 2, 0, -2):
        run = len(parts[at])
        if run in following:
            found[at] = following[run]
        following[run] = at
    return found


def _inside(code: str) -> str:
    code = code.replace("\n", " ")
    padded = code.startswith(" ") and code.endswith(" ") and code.strip(" ")
    return code[1:-1] if padded else code


def ago_words(at: datetime | None) -> str:
    """Return how long ago, in words."""
    if at is None:
        return "never"
    left = max((datetime.now(UTC) - at).total_seconds(), 0)
    for size, unit in _STEPS:
        if left < size:
            return "just now" if unit == "second" else f"{int(left)} {unit}{'' if int(left) == 1 else 's'} ago"
        left /= size
    return f"{int(left)} year{'' if int(left) == 1 else 's'} ago"


def ago(at: datetime | None) -> Markup | str:
    """Return how long ago; the time itself is in the title."""
    return "never" if at is None else _time(at, _exact(at), ago_words(at))


def utc(at: datetime | None) -> Markup | str:
    """Return the time to the second."""
    return "never" if at is None else _time(at, None, _exact(at))


def day(at: datetime | None) -> Markup | str:
    """Return the day; the time itself is in the title."""
    return "never" if at is None else _time(at, _exact(at), f"{at.astimezone(UTC):%Y-%m-%d} UTC")


def _exact(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _time(at: datetime, title: str | None, words: str) -> Markup:
    more = Markup("") if title is None else Markup(' title="{}"').format(title)
    return Markup('<time datetime="{}"{}>{}</time>').format(at.isoformat(), more, words)
