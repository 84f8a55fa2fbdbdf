"""Markdown of people as HTML: no markup of theirs, no picture from elsewhere, no link that runs anything."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markupsafe import Markup

from forgeguard_app.audit.plain_text import escaped_lines

MAX_CHARS = 200_000
PAGE_LEVEL = 1  # the heading of the page itself
_READER = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def as_html(text: str) -> Markup:
    """Return the text as a page shows it; markdown-it escapes what is no Markdown, and refuses `javascript:` links.

    Its headings stand below the page's own, and skip no level.
    """
    tokens = _READER.parse(escaped_lines(text[:MAX_CHARS]))
    level = PAGE_LEVEL
    for token in tokens:
        if token.type == "heading_open":
            level = min(int(token.tag[1]) + PAGE_LEVEL, level + 1, 6)
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"
    return Markup(_READER.renderer.render(tokens, _READER.options, {}))  # noqa: S704  (the renderer's own output)
