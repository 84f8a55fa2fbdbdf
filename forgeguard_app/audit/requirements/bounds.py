"""Measures manifests before a parser of Python's library reads them: some parsers take the square of their input."""

from __future__ import annotations

from packaging.requirements import InvalidRequirement, Requirement

MAX_ENTRY_CHARS = 4_000  # of one requirement
MAX_ENTRY_DEPTH = 100
MAX_SETTING_LINES = 10_000  # of setup.cfg and tox.ini: configparser joins the messages of all wrong lines
MAX_SETTING_CHARS = 200_000  # likewise
MAX_SETTING_LINE_CHARS = 2_000
MAX_PROBLEMS = 100  # of one file


def requirement_of(entry: str) -> Requirement:
    """Return the PEP 508 requirement.

    Raises:
        InvalidRequirement: it is invalid, or longer or deeper than is read.
    """
    if len(entry) > MAX_ENTRY_CHARS or entry.count("(") > MAX_ENTRY_DEPTH:
        raise InvalidRequirement("longer or deeper than is read")
    return Requirement(entry)


def unread_settings(text: str) -> str:
    """Return why a file of sections and keys is not read; '' where it is."""
    if text.count("\n") > MAX_SETTING_LINES:
        return f"longer than {MAX_SETTING_LINES:,} lines"
    if len(text) > MAX_SETTING_CHARS:
        return f"longer than {MAX_SETTING_CHARS:,} characters"
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_SETTING_LINE_CHARS:
            return f"line {number:,} is longer than {MAX_SETTING_LINE_CHARS:,} characters"
    return ""
