"""The configuration as ForgeGuard understood it, as plain values for a page: what holds, and all that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
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
MAX_READ_CHARS = 3_000  # of a text that are looked at: masked, they may be fewer


def describe(config: EffectiveConfig, tick: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """Describe the effective configuration, cut to what a page can show. `tick` is called for each text and may
    raise.
    """
    description = _Description(tick)
    return {
        "checks": {str(code): description.check(code, config) for code in CheckCode},
        "boundaries": [description.boundaries(file) for file in config.boundaries[:MOST_FILES]],
        "allowlists": len(config.exceptions.allowlists),
        "ignored_secrets": len(config.exceptions.ignored),
    }


def describe_problems(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Return each with its place."""
    return _Description(lambda: None).problems(problems)


class _Description:
    """Describes parts of a configuration; their texts are masked and cut."""

    def __init__(self, tick: Callable[[], object]) -> None:
        self._tick = tick

    def problems(self, problems: Iterable[Problem]) -> list[dict[str, Any]]:
        return [
            {
                "path": self._cut(masked_path(problem.path, limit_chars=MAX_READ_CHARS)),
                "line": problem.line,
                "column": problem.column,
                "message": self._cut(problem.message),
            }
            for problem in list(problems)[:MOST_VALUES]
        ]

    def check(self, code: CheckCode, config: EffectiveConfig) -> dict[str, Any]:
        policy: CheckPolicy = config.policy[code]
        own = {setting.key: self._plain(getattr(policy, setting.key)) for setting in CHECK_KINDS[code].settings}
        return {
            "enabled": policy.enabled,
            "disabled_by": self._cut(policy.disabled_by),
            "gate": str(policy.gate),
            "level": "fail" if policy.level is Level.FAILURE else "warn",
            "ignore": self._values(policy.ignore),
            "fail_on": policy.fail_on,
            "problems": self.problems(config.problems.get(code, ())),
            **own,
        }

    def _plain(self, value: object) -> object:
        """Return a setting's value for a page: None, a text, a list of texts, or such lists by name."""
        if isinstance(value, Mapping):
            return {self._cut(str(name)): self._values(names) for name, names in list(value.items())[:MOST_VALUES]}
        if isinstance(value, tuple):
            return self._values(value)
        return None if value is None else self._cut(str(value))

    def boundaries(self, file: Boundaries) -> dict[str, Any]:
        return {
            "path": self._cut(file.path),
            "layers": [self._layer(layer) for layer in file.layers[:MOST_LAYERS]],
            "left_out": max(len(file.layers) - MOST_LAYERS, 0),
            "order": [self._values(group) for group in file.order[:MOST_LAYERS]],
            "exhaustive": file.exhaustive,
            "acyclic": file.acyclic,
            "known_violations": len(file.known_violations),
            "remarks": self._values(f"{remark.path}:{remark.line}: {remark.message}" for remark in file.remarks),
        }

    def _layer(self, layer: Layer) -> dict[str, Any]:
        return {
            "name": self._cut(layer.name),
            "description": self._cut(layer.description),
            "globs": self._values(layer.globs),
            "forbidden": [
                {"pattern": self._cut(pattern.pattern), "reason": self._cut(pattern.reason)}
                for pattern in layer.forbidden[:MOST_RULES]
            ],
            "forbidden_imports": [
                {"module": self._cut(rule.module), "reason": self._cut(rule.reason)}
                for rule in layer.forbidden_imports[:MOST_RULES]
            ],
            "may_import": None if layer.may_import is None else self._values(layer.may_import),
        }

    def _values(self, texts: Iterable[str]) -> list[str]:
        return [self._cut(text) for text in islice(texts, MOST_VALUES)]

    def _cut(self, text: str) -> str:
        self._tick()
        shown = clean(masked(text, limit_chars=MAX_READ_CHARS, tick=self._tick))
        whole = len(shown) <= MAX_CHARS and len(text) <= MAX_READ_CHARS
        return shown if whole else shown[: MAX_CHARS - 1] + "…"
