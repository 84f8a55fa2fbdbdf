"""Remembers answers about short texts: thousands of long ones, which strangers choose, would fill the memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

MAX_KEPT_CHARS = 1_000  # of the texts of one question, unless told otherwise
F = TypeVar("F", bound=Callable[..., Any])


def remembered(most: int, longest: int = MAX_KEPT_CHARS) -> Callable[[F], F]:
    """Return a decorator that remembers the last `most` answers to questions of at most `longest` characters."""

    def decorate(function: F) -> F:
        kept = lru_cache(maxsize=most)(function)

        @wraps(function)
        def answer(*question: Any) -> Any:
            length = sum(len(part) for part in question if isinstance(part, str))
            return (kept if length <= longest else function)(*question)

        return cast(F, answer)

    return decorate
