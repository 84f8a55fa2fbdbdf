"""Explains rules, in the words of their checks."""

from __future__ import annotations

from difflib import get_close_matches

from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.model import CheckCode


def explain(rule: str) -> str | None:
    """Return the text on a check or a rule; None where there is no such rule."""
    if rule.upper() in tuple(CheckCode):
        return CHECKS[CheckCode(rule.upper())].about
    name = rule
    for code in CheckCode:
        name = name.removeprefix(f"{code}/")
    parts = name.split("/")
    return next((text for check in CHECKS.values() if (text := check.explain_rule(parts)) is not None), None)


def similar(rule: str) -> list[str]:
    """Return names that the person may have meant."""
    names = [*map(str, CHECKS), *(name for check in CHECKS.values() for name in check.rule_names)]
    return get_close_matches(rule, names, n=3)
