"""Shows how a person accepts a finding: the line to write, and where."""

from __future__ import annotations

import json

from forgeguard_app.audit.boundaries.record import known_entries
from forgeguard_app.audit.model import CONFIGURATION_RULE, NOTICE_RULE, CheckCode, Finding
from forgeguard_app.audit.secrets.masking import masked

_SETTINGS = ".github/forgeguard.yml"


def how_to_accept(code: CheckCode, finding: Finding) -> str | None:
    """Return what to do about a finding of this rule; None where the only way is to fix the file."""
    if finding.rule in (CONFIGURATION_RULE, NOTICE_RULE):
        return None
    if code is CheckCode.A4:
        (entry,) = known_entries([(finding.rule, finding.path)])
        return (
            f'To accept it for now, add to "known_violations" in boundaries.json: '
            f"{json.dumps(entry, ensure_ascii=False)}"
        )
    if code is CheckCode.A9:
        return _dependency(finding)
    return "To accept a value that is no credential, write `forgeguard:allow` in a comment on its line."


def _dependency(finding: Finding) -> str:
    module = masked(finding.subject.partition(".")[0])  # what was matched passes no gate but this one
    if finding.rule == "development":
        return "To fix it, declare the distribution among the runtime dependencies too."
    provides = f"`checks: {{A9: {{provides: {{{module}: DISTRIBUTION}}}}}}` in {_SETTINGS}"
    return f"To fix it, declare the distribution, or name the declared one that brings {module!r}: {provides}."
