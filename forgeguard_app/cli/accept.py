"""Shows how a person accepts a finding: the line to write, and where."""

from __future__ import annotations

from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.model import CONFIGURATION_RULE, NOTICE_RULE, CheckCode, Finding


def how_to_accept(code: CheckCode, finding: Finding) -> str | None:
    """Return what to do about a finding of this rule; None where the only way is to fix the file."""
    return None if finding.rule in (CONFIGURATION_RULE, NOTICE_RULE) else CHECKS[code].how_to_accept(finding)
