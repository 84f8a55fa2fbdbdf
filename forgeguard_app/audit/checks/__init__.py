"""The checks: what each does, by its code. What the rest of the code asks about one stands in `check_kinds`."""

from __future__ import annotations

from forgeguard_app.audit.check import CheckRecord
from forgeguard_app.audit.checks import a4_boundaries, a9_dependencies, w1_secrets
from forgeguard_app.audit.model import CheckCode

CHECKS: dict[CheckCode, CheckRecord] = {
    check.kind.code: check for check in (a4_boundaries.CHECK, a9_dependencies.CHECK, w1_secrets.CHECK)
}
