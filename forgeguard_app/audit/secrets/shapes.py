"""Pieces of which provider rules and their examples are made."""

from __future__ import annotations

B64 = "Qm9vS2VlcGVy"
A32 = "k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gH2s"
HEX32 = "9f86d081884c7d659a2feaa0c55ad015"
HEX40 = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"
W = r"(?:^|[^A-Za-z0-9_])"
E = r"(?:[^A-Za-z0-9_]|$)"
GITHUB = "GitHub Docs, About authentication: token formats"


def near(word: str, value: str) -> str:
    """Return a value without a prefix of its own, assigned to a name that holds the provider's word."""
    return rf"(?i:{word})[\w.\-]{{0,30}}[\"']?\s*(?::|=|=>|:=|,)\s*[\"'`]?({value})(?:[\"'`\s;,)]|$)"
