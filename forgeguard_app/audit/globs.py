"""Path patterns: `*` and `?` stay within a folder, `**` crosses folders, `[…]` is one character."""

from __future__ import annotations

import re
from functools import lru_cache

MAX_GLOB_CHARS = 1_000


_SET = re.compile(r"\[[!^]?([^/]+?)\]")
_RANGE = re.compile(r"(.)-(.)", re.DOTALL)


class GlobError(ValueError):
    """A pattern that is not read; the text says why."""


def check_glob(pattern: str) -> None:
    """Refuse what cannot match any path of a repository.

    Raises:
        GlobError: says what to write instead.
    """
    if len(pattern) > MAX_GLOB_CHARS:
        raise GlobError(f"a glob longer than {MAX_GLOB_CHARS} characters is not read")
    if "\\" in pattern:
        raise GlobError("a glob uses '/' between folders, not '\\'")
    if pattern.startswith("/"):
        raise GlobError("a glob is relative; remove the leading '/'")
    parts = pattern.split("/")
    if ".." in parts or "." in parts[1:]:
        raise GlobError("a glob must not contain '.' or '..' as a folder")
    for first, last in _RANGE.findall("".join(_SET.findall(pattern))):
        if first > last:
            raise GlobError("a range of characters in a glob goes from the lower to the higher, as in [a-z]")


@lru_cache(maxsize=4_096)
def glob_regex(pattern: str) -> str:
    """Return the pattern as a regular expression for whole paths.

    Its size is linear in the pattern's, and the wildcards of one segment cannot cross a '/'.
    """
    pattern = pattern.removeprefix("./")
    if pattern.endswith("/"):
        pattern += "**"
    out: list[str] = []
    parts = pattern.split("/")
    collapsed = [part for n, part in enumerate(parts) if not (part == "**" and n and parts[n - 1] == "**")]
    for n, part in enumerate(collapsed):
        last = n == len(collapsed) - 1
        if part == "**":
            out.append(".*" if last else "(?:.*/)?")
        else:
            out.append(_segment(part) + ("" if last else "/"))
    return "".join(out)


def _segment(part: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(part):
        char = part[at]
        if char == "*":
            if not out or out[-1] != "[^/]*":
                out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := part.find("]", at + 2)) != -1:
            body = part[at + 1 : end]
            negated = body[0] in "!^"
            body = re.sub(r"([\\\[\]^&~|])", r"\\\1", body[1:] if negated else body)
            out.append(f"[{'^/' if negated else ''}{body}]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out)


def joined(folder: str, pattern: str) -> str:
    """Return the pattern relative to the root, for one that is relative to a folder (without a trailing '/')."""
    return f"{_escape(folder)}/{pattern}" if folder else pattern


def _escape(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)
