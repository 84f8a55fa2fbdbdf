"""The configuration as ForgeGuard understood it, as plain values for a page: what holds, and all that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from forgeguard_app.audit.boundaries.parse import Boundaries, Layer
from forgeguard_app.audit.check_kinds import CHECK_KINDS
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.masked_text import masked_path
from forgeguard_app.audit.model import CheckCode, Level, Problem
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.report import clean
from forgeguard_app.audit.secrets.masking import masked

MOST_LAYERS = 100
MOST_RULES = 100  # of a layer
MOST_VALUES = 100
MOST_FILES = 20
MAX_CHARS = 300


def describe(config: EffectiveConfig) -> dict[str, Any]:
    """Describe the effective configuration, cut to what a page can show."""
    return {
        "checks": {str(code): _check(code, config) for code in CheckCode},
        "boundaries": [_boundaries(file) for file in config.boundaries[:MOST_FILES]],
        "allowlists": len(config.exceptions.allowlists),
        "ignored_secrets": len(config.exceptions.ignored),
    }


def describe_problems(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return each with its place."""
    return [
        {
            "path": _cut(masked_path(problem.path)),
            "line": problem.line,
            "column": problem.column,
            "message": _cut(problem.message),
        }
        for problem in list(problems)[:MOST_VALUES]
    ]


def _check(code: CheckCode, config: EffectiveConfig) -> dict[str, Any]:
    policy: CheckPolicy = config.policy[code]
    own = {setting.key: _plain(getattr(policy, setting.key)) for setting in CHECK_KINDS[code].settings}
    return {
        "enabled": policy.enabled,
        "disabled_by": _cut(policy.disabled_by),
        "gate": str(policy.gate),
        "level": "fail" if policy.level is Level.FAILURE else "warn",
        "ignore": _values(policy.ignore),
        "fail_on": policy.fail_on,
        "problems": describe_problems(config.problems.get(code, ())),
        **own,
    }


def _plain(value: object) -> object:
    """Return a setting's value for a page: None, a text, a list of texts, or such lists by name."""
    if isinstance(value, Mapping):
        return {_cut(str(name)): _values(names) for name, names in list(value.items())[:MOST_VALUES]}
    if isinstance(value, tuple):
        return _values(value)
    return None if value is None else _cut(str(value))


def _boundaries(file: Boundaries) -> dict[str, Any]:
    return {
        "path": _cut(file.path),
        "layers": [_layer(layer) for layer in file.layers[:MOST_LAYERS]],
        "left_out": max(len(file.layers) - MOST_LAYERS, 0),
        "order": [_values(group) for group in file.order[:MOST_LAYERS]],
        "exhaustive": file.exhaustive,
        "acyclic": file.acyclic,
        "known_violations": len(file.known_violations),
        "remarks": _values(f"{remark.path}:{remark.line}: {remark.message}" for remark in file.remarks),
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": _cut(layer.name),
        "description": _cut(layer.description),
        "globs": _values(layer.globs),
        "forbidden": [
            {"pattern": _cut(pattern.pattern), "reason": _cut(pattern.reason)}
            for pattern in layer.forbidden[:MOST_RULES]
        ],
        "forbidden_imports": [
            {"module": _cut(rule.module), "reason": _cut(rule.reason)} for rule in layer.forbidden_imports[:MOST_RULES]
        ],
        "may_import": None if layer.may_import is None else _values(layer.may_import),
    }


def _values(texts: Iterable[str]) -> list[str]:
    return [_cut(text) for text in list(texts)[:MOST_VALUES]]


def _cut(text: str) -> str:
    text = clean(masked(text))
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"
