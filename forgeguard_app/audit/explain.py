"""Explains rules, in the words of their modules."""

from __future__ import annotations

from difflib import get_close_matches
from inspect import cleandoc

from forgeguard_app.audit.checks import a4_boundaries, a9_dependencies, w1_secrets
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.secrets.scanner import RULES

_CHECKS = {"A4": a4_boundaries, "A9": a9_dependencies, "W1": w1_secrets}
_A4_KINDS = ("forbidden", "forbidden_imports", "may_import", "order", "exhaustive", "acyclic")
_A9_KINDS = ("undeclared", "development", "unknown", "guarded")


def explain(rule: str) -> str | None:
    """The text on a check or a rule; None where there is no such rule."""
    if rule.upper() in _CHECKS:
        return cleandoc(_CHECKS[rule.upper()].__doc__ or "")
    parts = rule.removeprefix("A4/").removeprefix("A9/").removeprefix("W1/").split("/")
    if any(part in _A4_KINDS for part in parts[:2]):
        return cleandoc(a4_boundaries.__doc__ or "")
    if parts[0] in _A9_KINDS:
        return cleandoc(a9_dependencies.__doc__ or "")
    found = next((one for one in RULES if one.id == parts[0]), None)
    if found is None:
        return None
    checksum = "Its checksum is verified.\n" if found.checksum else ""
    return f"{found.id} ({found.provider})\nSource: {found.source}\n{checksum}\n{cleandoc(w1_secrets.__doc__ or '')}"


_HELP = {
    CheckCode.A4: "https://en.wikipedia.org/wiki/Multitier_architecture",
    CheckCode.A9: "https://packaging.python.org/en/latest/guides/writing-pyproject-toml/",
    CheckCode.W1: "https://docs.github.com/en/code-security/secret-scanning/introduction/about-secret-scanning",
}


def help_address(code: CheckCode, rule: str) -> str:
    """Return where to read on: for a provider's secret what the provider says, else what the check is about."""
    found = next((one for one in RULES if one.id == rule), None) if code is CheckCode.W1 else None
    return found.source if found is not None and found.source.startswith("https://") else _HELP[code]


def similar(rule: str) -> list[str]:
    """Names that the person may have meant."""
    names = [*_CHECKS, *_A4_KINDS, *_A9_KINDS, *(one.id for one in RULES)]
    return get_close_matches(rule, names, n=3)
