"""The two kinds of failure that somebody answers; everything else is our bug and rises."""


class UserError(Exception):
    """An error that the person can fix; its text is shown to them as it is.

    `field` names the form field that it is about, empty where it is about none.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Temporary(Exception):
    """Something that passes by itself; the work is tried again later.

    `delay_s` is how many seconds to wait at the least, None where the caller's own back-off decides.
    """

    def __init__(self, message: str, *, delay_s: float | None = None) -> None:
        super().__init__(message)
        self.delay_s = delay_s
