"""Small pieces that the contracts' templates are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from keyword import iskeyword

MAX_CHARS = 200_000  # of a contract
_NOT_NAME = re.compile(r"[^a-z0-9]+")


class ContractTooLong(Exception):
    """The answers make a contract of more than MAX_CHARS characters."""


def package_of(name: str) -> str:
    """Return the project's name as a Python package."""
    found = _NOT_NAME.sub("_", name.lower()).strip("_")[:40].strip("_")
    return found if found and not found[0].isdigit() and not iskeyword(found) else "app"


def distribution_of(name: str) -> str:
    """Return the project's name as a distribution."""
    return package_of(name).replace("_", "-")


def sentence(text: str) -> str:
    """Return the text, ended as a sentence."""
    text = text.strip()
    ended = (
        not text or text.endswith((".", "!", "?", "…", ":")) or (text[0] == text[-1] == "`" and text.count("`") == 2)
    )
    return text if ended else f"{text}."


def bullets(items: Iterable[str]) -> str:
    """Return a list, each item a sentence."""
    return "\n".join(f"- {sentence(item)}" for item in items)


def section(title: str, body: str, level: int = 2) -> str:
    """Return a heading with what stands below it; nothing where nothing does."""
    return f"{'#' * level} {title}\n\n{body.strip()}\n" if body.strip() else ""


def document(title: str, *sections: str) -> str:
    """Return a whole contract, of a title and sections. Empty sections are left out."""
    return "\n".join([f"# {title}\n", *(part for part in sections if part)]).rstrip() + "\n"


def cell(text: str) -> str:
    """Text inside a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table; an empty text without rows."""
    lines = [f"| {' | '.join(cell(value) for value in row)} |" for row in rows]
    names = list(heads)
    return "\n".join([f"| {' | '.join(names)} |", f"|{'---|' * len(names)}", *lines]) if lines else ""
