"""The two kinds of failure that somebody answers; everything else is our bug and rises."""

from __future__ import annotations

import errno

_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR)


class UserError(Exception):
    """An error that the person can fix; its text is shown to them as it is.

    `field` names the form field that it is about, empty where it is about none.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class RetryLater(Exception):
    """Something that passes by itself; the work is tried again later.

    `delay_s` is how many seconds to wait at the least, None where the caller's own back-off decides.
    """

    def __init__(self, message: str, *, delay_s: float | None = None) -> None:
        super().__init__(message)
        self.delay_s = delay_s


def as_transient(error: OSError) -> RetryLater | None:
    """Return the fault that passes by itself, such as a full disk or a lost connection; None where it does not."""
    if error.errno in _PASSING or isinstance(error, ConnectionError):
        return RetryLater(f"this machine lacks something just now: {error.strerror or type(error).__name__}")
    return None
