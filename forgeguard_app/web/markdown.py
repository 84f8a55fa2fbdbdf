"""Markdown of people as HTML: no markup of theirs, no picture from elsewhere, no link that runs anything."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

MAX_CHARS = 200_000
_READER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def as_html(text: str) -> Markup:
    """The text as a page shows it; markdown-it escapes what is no Markdown, and refuses `javascript:` links."""
    return Markup(_READER.render(text[:MAX_CHARS]))  # noqa: S704  (the renderer's own output)
