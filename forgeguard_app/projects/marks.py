"""Decides whether an answer is saved: two people, two windows or two saves of one page never overwrite each other
silently.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import sha256
from typing import Any

MAX_SEEN = 5
MAX_PAGE_CHARS = 40
MAX_LOGIN_CHARS = 500


@dataclass(frozen=True, slots=True)
class Writer:
    """The sender of a save: `page` is the random id of an open page, `number` grows with each of its saves.

    Without a script there is no page, and both are empty.
    """

    login: str = ""
    page: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """The last save of an answer, and the newest known save of each recent page, the last one first."""

    login: str
    saves: tuple[tuple[str, int], ...]

    @property
    def page(self) -> str:
        """Return the page that saved the answer last."""
        return self.saves[0][0] if self.saves else ""

    def newest_of(self, page: str) -> int:
        """Return the number of the page's newest save; -1 for none."""
        return next((number for known, number in self.saves if known == page), -1)


class Saving(Enum):
    """The outcome of saving an answer."""

    SAVE = auto()
    ALREADY = auto()  # a later save of the same page was here before
    UNTOUCHED = auto()  # the person left it as they found it, and somebody else changed it
    CONFLICT = auto()  # both changed it


def decide(now: Any, mark: Mark | None, value: Any, base: str | None, writer: Writer) -> Saving:
    """Return what becomes of `value`, where `now` is stored and the writer began from `base`.

    Without a base the writer did not look at what was there, as a script that uses the API.
    """
    if mark is not None and writer.page:
        if mark.newest_of(writer.page) >= writer.number:
            return Saving.ALREADY
        if mark.page == writer.page:
            return Saving.SAVE
    if base is None or digest_of(value) == digest_of(now) or base == digest_of(now):
        return Saving.SAVE
    return Saving.UNTOUCHED if digest_of(value) == base else Saving.CONFLICT


def marked(mark: Mark | None, writer: Writer) -> Mark:
    """Return the mark after a save by the writer."""
    others = tuple(save for save in (mark.saves if mark else ()) if save[0] != writer.page)
    own = ((writer.page, writer.number),)
    return Mark(writer.login, (own + others)[:MAX_SEEN])


def digest_of(value: Any) -> str:
    """Return what tells one answer from another; the same for an empty answer and none."""
    return sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16] if value else ""


def read_marks(state: Any) -> dict[str, Mark]:
    """Return the marks in a stored state; invalid ones are left out."""
    found: dict[str, Mark] = {}
    for key, stored in state.items() if isinstance(state, Mapping) else ():
        if (
            isinstance(stored, Mapping)
            and isinstance(stored.get("login"), str)
            and isinstance(stored.get("seen"), list)
        ):
            pairs = (pair for pair in stored["seen"][:MAX_SEEN] if isinstance(pair, list) and len(pair) == 2)
            found[str(key)] = Mark(stored["login"], tuple((str(page), int(number)) for page, number in pairs))
    return found


def written_marks(marks: Mapping[str, Mark]) -> dict[str, Any]:
    """Return the marks as they are stored."""
    return {key: {"login": mark.login, "seen": [list(pair) for pair in mark.saves]} for key, mark in marks.items()}
