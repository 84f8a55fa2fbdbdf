"""Explains the rules of a repository's `.gitleaks.toml`."""

from __future__ import annotations

from forgeguard_app.audit.secrets.allowlists import CONFIG_PATH, Exceptions, NamedRule, means
from forgeguard_app.audit.secrets.masking import masked
from forgeguard_app.audit.secrets.matching import RULES

MAX_DESCRIPTION_CHARS = 500


def own_secret_rules(exceptions: Exceptions) -> dict[str, str]:
    """Return each rule of the file by its id, with its description, and whether and how it counts."""
    return {rule.name: _described(rule, exceptions) for rule in exceptions.named_rules}


def _described(rule: NamedRule, exceptions: Exceptions) -> str:
    lines = (
        [masked(rule.description, limit_chars=10 * MAX_DESCRIPTION_CHARS)[:MAX_DESCRIPTION_CHARS]]
        if rule.description
        else []
    )
    lines.append(f"It is a rule of {CONFIG_PATH}, line {rule.line}.")
    if rule.own:
        lines.append("ForgeGuard does not honour rules of a repository's own for secrets: it finds nothing here.")
    meant = [ours.id for ours in RULES if means(ours.id, rule.name)]
    if meant:
        lines.append(f"ForgeGuard's rules for the same: {', '.join(meant)}.")
    if any(rule.name in allowlist.rules for allowlist in exceptions.allowlists):
        counts = "its allowlists count for these rules." if meant else "its allowlists except nothing."
        lines.append(counts[0].upper() + counts[1:])
    return "\n".join(lines)
