"""The limits of one evaluation that the command line and the server share; read without the server's other settings."""

from __future__ import annotations

import os

from forgeguard_app.errors import UserError

TIMEOUT_VARIABLE = "FORGEGUARD_EVALUATION_TIMEOUT_S"
DEFAULT_TIMEOUT_S = 60.0
MAX_TIMEOUT_S = 86_400


def load_evaluation_timeout_s() -> float:
    """Return the time limit of one evaluation, for the command line, which needs no other setting.

    Raises:
        UserError: the variable is not a number of seconds.
    """
    given = os.environ.get(TIMEOUT_VARIABLE, "").strip()
    try:
        value = float(given or DEFAULT_TIMEOUT_S)
    except ValueError:
        value = 0.0
    if not 0 < value <= MAX_TIMEOUT_S:
        raise UserError(f"{TIMEOUT_VARIABLE}: must be a number of seconds above 0, at most {MAX_TIMEOUT_S}")
    return value
