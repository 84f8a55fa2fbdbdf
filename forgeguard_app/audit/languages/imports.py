"""The imports of one source file, as every language gives them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Guard(StrEnum):
    """The code around an import that expects its failure."""

    NONE = ""
    TRY = "try"  # try/except ImportError, either branch
    TYPING = "typing"  # if TYPE_CHECKING


class Import(NamedTuple):
    """One import statement's one module.

    `import a.b` has module "a.b" and no names; `from ..a import b, c` has level 2, module "a" and names ("b", "c"); a
    star is the name "*". Lines and columns are 1-based; `end_column` is the one after the last character.
    """

    module: str
    names: tuple[str, ...]
    level: int
    line: int
    end_line: int
    column: int
    guard: Guard = Guard.NONE
    end_column: int = 0


class SourceFacts(NamedTuple):
    """Facts of one source file for the checks; `has_code` is false for documentation and comments alone.

    `cut` tells that a bound kept some of its imports from being read.
    """

    imports: tuple[Import, ...]
    has_code: bool
    cut: bool = False
