"""The imports of one source file, as every language gives them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Guard(StrEnum):
    """The code around an import that expects its failure."""

    NONE = ""
    TRY = "try"  # try/except ImportError, either branch
    TYPING = "typing"  # if TYPE_CHECKING


class Cut(StrEnum):
    """The reason why imports of a file may be missing from its facts."""

    NONE = ""
    BOUND = "bound"  # more, or longer ones, than are read
    ENCODING = "encoding"  # declared, and not read or not the one of the bytes
    POINTER = "pointer"  # Git LFS keeps the contents elsewhere
    SYNTAX = "syntax"  # a string or a field of an f-string does not end, or there are null characters


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

    `cut` tells why some of its imports may not be among them.
    """

    imports: tuple[Import, ...]
    has_code: bool
    cut: Cut = Cut.NONE
