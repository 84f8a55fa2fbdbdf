"""Writes values as YAML in time that grows with the text: PyYAML's own writer takes fifty times as long."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from forgeguard_app.projects.contracts.words import ContractTooLong

MAX_KEY_CHARS = 128  # of a key that stands on the line of its colon; YAML has at most 1,024
_RESOLVER: Any = yaml.resolver.Resolver()
_TEXT = "tag:yaml.org,2002:str"
# Without indicators at its beginning, and without what ends a plain scalar or begins a comment.
_PLAIN = re.compile(r"(?:[\w/(]|-(?=\w))(?:[^\s:#]|:(?=\S)|(?<=\S)#| (?=\S))*+\Z")
# What YAML prints as it is, on one line: https://yaml.org/spec/1.2.2/#51-character-set
_SPECIAL = re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_QUOTED = re.compile(rf'{_SPECIAL.pattern}|["\\]')


def write_yaml(value: Mapping[str, Any], max_chars: int) -> str:
    """Return mappings, lists, texts and flags as a YAML document in block style.

    Raises:
        ContractTooLong: it has more than `max_chars` characters; no more than these are written.
    """
    lines: list[str] = []
    chars = 0
    for line in _lines(value, 0):
        chars += len(line) + 1
        if chars > max_chars:
            raise ContractTooLong
        lines.append(line)
    return "\n".join(lines) + "\n"


def _lines(value: Mapping[str, Any] | Sequence[Any], indent: int) -> Iterator[str]:
    blank = " " * indent
    if not isinstance(value, Mapping):
        for item in value:
            first, *more = _lines(item, indent + 2) if _has_lines(item) else [blank + "  " + _short(item, indent + 2)]
            yield f"{blank}- {first[indent + 2 :]}"
            yield from more
        return
    for key, item in value.items():
        name = _scalar(key)
        if len(name) > MAX_KEY_CHARS:
            yield f"{blank}? {name}"
            name = ""
        if _has_lines(item):
            yield f"{blank}{name}:"
            yield from _lines(item, indent if name and not isinstance(item, Mapping) else indent + 2)
        else:
            yield f"{blank}{name}: {_short(item, indent + 2)}"


def _has_lines(value: object) -> bool:
    return isinstance(value, Mapping | list) and bool(value)


def _short(value: object, indent: int) -> str:
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list):
        return "[]"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if "\n" in text and text == text.strip() and not _SPECIAL.search(text.replace("\n", "")):
        return "|-" + "".join(f"\n{' ' * indent}{line}" if line else "\n" for line in text.split("\n"))
    return _scalar(text)


def _scalar(text: str) -> str:
    if _SPECIAL.search(text):
        return f'"{_QUOTED.sub(_escape, text)}"'
    if _PLAIN.match(text) and _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)) == _TEXT:
        return text
    return "'" + text.replace("'", "''") + "'"


def _escape(found: re.Match[str]) -> str:
    char = found[0]
    if char == "\n":
        return "\\n"
    return f"\\{char}" if char in '"\\' else f"\\u{ord(char):04x}"
