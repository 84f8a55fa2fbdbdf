"""Reads `.github/forgeguard.yml` strictly, lays it over the owner's defaults, and resolves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import urlsplit

from forgeguard_app.audit.check_kinds import CHECK_KINDS, kind_with, settings_of
from forgeguard_app.audit.check_settings import Setting, read_gate, read_globs
from forgeguard_app.audit.documents import DocumentError, Node
from forgeguard_app.audit.model import CheckCode, Gate, Level, Problem
from forgeguard_app.audit.reading import Reading
from forgeguard_app.audit.yaml_document import read_yaml

POLICY_PATHS = (".github/forgeguard.yml", ".forgeguard.yml")
_KEYS = ("enabled", "gate", "ignore", "checks")
_OWNER_KEYS = (*_KEYS, "notify", "enforce")


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """One file's settings of one check; None where the file does not set them."""

    enabled: bool | None = None
    gate: Gate | None = None
    ignore: tuple[str, ...] | None = None
    level: Level | None = None
    boundaries: tuple[str, ...] | None = None
    manifests: tuple[str, ...] | None = None
    provides: Mapping[str, tuple[str, ...]] | None = None
    ignore_modules: tuple[str, ...] | None = None
    fail_on: str | None = None
    places: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Enforcement:
    """Settings that the owner's file imposes on all of the owner's repositories."""

    policy: str | None = None
    checks: Mapping[CheckCode, CheckSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """One file's words; None where it says nothing."""

    enabled: bool | None = None
    gate: Gate | None = None
    ignore: tuple[str, ...] | None = None
    checks: Mapping[CheckCode, CheckSettings] = field(default_factory=dict)
    notify: str | None = None
    enforce: Enforcement = Enforcement()
    places: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """The settings of one check after owner, repository and defaults were joined."""

    enabled: bool
    gate: Gate
    ignore: tuple[str, ...]
    level: Level
    boundaries: tuple[str, ...] | None = None
    manifests: tuple[str, ...] | None = None
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ignore_modules: tuple[str, ...] = ()
    fail_on: str | None = None
    disabled_by: str = ""
    places: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)


Policy = Mapping[CheckCode, CheckPolicy]


def settings_with(policy: Policy, setting: Setting) -> CheckPolicy:
    """Return the settings of the check that has this one."""
    return policy[kind_with(setting).code]


def read_settings(text: str, path: str, *, owner: bool = False) -> tuple[PolicySettings, tuple[Problem, ...]]:
    """Parse the file; return its settings and all its errors. `owner` admits `notify` and `enforce`."""
    reading = Reading(path)
    try:
        node = read_yaml(text)
    except DocumentError as error:
        return PolicySettings(), (Problem(path, error.line, error.column, error.message),)
    if node is None:
        return PolicySettings(), ()
    keys = reading.mapping(node, "the configuration", _OWNER_KEYS if owner else _KEYS)
    settings = PolicySettings(
        enabled=reading.flag(keys["enabled"], "enabled") if "enabled" in keys else None,
        gate=read_gate(reading, keys["gate"]) if "gate" in keys else None,
        ignore=read_globs(reading, keys["ignore"], "ignore") if "ignore" in keys else None,
        checks=_checks(reading, keys.get("checks")),
        notify=_notify(reading, keys.get("notify")),
        enforce=_enforce(reading, keys.get("enforce")),
        places=_places(reading, {key: node for key, node in keys.items() if key == "ignore"}),
    )
    return settings, tuple(reading.problems)


def _checks(reading: Reading, node: Node | None) -> dict[CheckCode, CheckSettings]:
    if node is None or node.value is None:
        return {}
    keys = reading.mapping(node, "checks", list(CheckCode))
    return {CheckCode(code): _check(reading, CheckCode(code), value) for code, value in keys.items()}


def _check(reading: Reading, code: CheckCode, node: Node) -> CheckSettings:
    if node.value is None:
        return CheckSettings()
    known = {setting.key: setting for setting in settings_of(code)}
    keys = reading.mapping(node, f"checks.{code}", sorted(known))
    given: dict[str, Any] = {key: known[key].read(reading, value) for key, value in keys.items()}
    return CheckSettings(**given, places=_places(reading, keys))


def _places(reading: Reading, keys: Mapping[str, Node]) -> dict[str, tuple[str, int, int]]:
    """Return the places of keys and, as `key.text`, of the texts in their lists and the keys of their mappings."""
    places: dict[str, tuple[str, int, int]] = {}
    for key, node in keys.items():
        places[key] = (reading.path, node.line, node.column)
        for item in node.value if isinstance(node.value, list) else ():
            if isinstance(item.value, str):
                places.setdefault(f"{key}.{item.value}", (reading.path, item.line, item.column))
        for name, (line, column) in node.keys.items():
            places.setdefault(f"{key}.{name}", (reading.path, line, column))
    return places


def _notify(reading: Reading, node: Node | None) -> str | None:
    if node is None:
        return None
    address = reading.text(node, "notify")
    if address is not None and not _is_https(address):
        reading.problem(node, "notify must be an https:// address")
        return None
    return address


def _is_https(address: str) -> bool:
    try:
        return address.startswith("https://") and bool(urlsplit(address).hostname)
    except ValueError:
        return False


def _enforce(reading: Reading, node: Node | None) -> Enforcement:
    if node is None:
        return Enforcement()
    keys = reading.mapping(node, "enforce", ("policy", "checks"))
    policy = reading.choice(keys["policy"], "enforce.policy", ["head", "target"]) if "policy" in keys else None
    return Enforcement(policy=policy, checks=_checks(reading, keys.get("checks")))


def laid_over(owner: PolicySettings, repository: PolicySettings) -> PolicySettings:
    """Return the repository's words over the owner's, key by key; what the owner enforces over both."""
    checks: dict[CheckCode, CheckSettings] = {}
    for code in CheckCode:
        own = _over(owner.checks.get(code, CheckSettings()), repository.checks.get(code, CheckSettings()))
        checks[code] = _over(own, owner.enforce.checks.get(code, CheckSettings()))
    return PolicySettings(
        enabled=owner.enabled if repository.enabled is None else repository.enabled,
        gate=repository.gate or owner.gate,
        ignore=owner.ignore if repository.ignore is None else repository.ignore,
        checks=checks,
        notify=owner.notify,
        enforce=owner.enforce,
    )


def _over(lower: CheckSettings, upper: CheckSettings) -> CheckSettings:
    given = {f.name: getattr(upper, f.name) for f in fields(upper) if getattr(upper, f.name) is not None}
    return replace(lower, **{**given, "places": {**lower.places, **upper.places}})


def resolve(settings: PolicySettings, path: str | None = None) -> Policy:
    """Return the settings of each check; `path` is the file that a disabled check names as the one that disabled it."""
    return {code: _resolved(settings, code, path or POLICY_PATHS[0]) for code in CheckCode}


def _resolved(settings: PolicySettings, code: CheckCode, path: str) -> CheckPolicy:
    own = settings.checks.get(code, CheckSettings())
    everywhere = settings.enabled is not False
    enforced = settings.enforce.checks.get(code, CheckSettings()).enabled
    enabled = enforced if enforced is not None else everywhere and own.enabled is not False
    disabled_by = "" if enabled else f"{path} ({'enabled' if not everywhere else f'checks.{code}.enabled'}: false)"
    kind = CHECK_KINDS[code]
    ignore = (settings.ignore or ()) if kind.shares_ignore else ()
    values: dict[str, Any] = {setting.key: getattr(own, setting.key) for setting in kind.settings}
    given = {key: value for key, value in values.items() if value is not None}
    return CheckPolicy(
        enabled=enabled,
        gate=own.gate or settings.gate or Gate.NEW,
        ignore=(*ignore, *(own.ignore or ())),
        level=own.level or kind.default_level,
        disabled_by=disabled_by,
        places=own.places,
        **given,
    )
