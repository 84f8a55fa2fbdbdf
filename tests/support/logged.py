"""The log as `serve` and `worker` write it, kept while a test plays."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator

import structlog

from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.logs import set_up_logs


@contextlib.contextmanager
def logged() -> Iterator[io.StringIO]:
    """Give the lines that this process writes meanwhile."""
    root, lines = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    with contextlib.redirect_stderr(lines):
        set_up_logs(mask=shown_lines)
    structlog.configure(cache_logger_on_first_use=False)  # or the loggers of all later tests would write here
    try:
        yield lines
    finally:
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
