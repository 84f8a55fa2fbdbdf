"""Writes values as YAML, and no more of it than a contract may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from forgeguard_app.projects.contracts.words import ContractTooLong

# libyaml's writer takes a tenth of the time of the one in Python, and writes the same:
# https://pyyaml.org/wiki/PyYAMLDocumentation
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WIDTH = 120


def write_yaml(value: Mapping[str, Any], max_chars: int) -> str:
    """Return mappings, lists, texts and flags as a YAML document in block style.

    Raises:
        ContractTooLong: it has more than `max_chars` characters; hardly more than these are written.
    """
    text = _BoundedText(max_chars)
    for part in _texts(value):  # which are not shorter in YAML; its writer takes 500 bytes of memory for each
        text.expect(len(part))
    yaml.dump(value, text, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return "".join(text.parts)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)


class _BoundedText:
    """A text that YAML is written to, of so many characters at most."""

    def __init__(self, max_chars: int) -> None:
        self.parts: list[str] = []
        self._left = self._expected = max_chars

    def expect(self, chars: int) -> None:
        self._expected -= chars
        if self._expected < 0:
            raise ContractTooLong

    def write(self, part: str) -> None:
        self._left -= len(part)
        if self._left < 0:
            raise ContractTooLong
        self.parts.append(part)
