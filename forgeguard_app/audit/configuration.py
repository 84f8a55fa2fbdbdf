"""Which rules apply: the configuration at head, at the target, or the built-in defaults.

On the repository's own branches head's configuration applies, unless the owner enforces the target's. A fork's
pull request is always evaluated by its target's. A broken file at head is an ERROR also where it does not apply; a
broken one at the target is passed over and said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from forgeguard_app.audit.boundaries.parse import CONTRACT_PATH, DEFAULT_PATHS, Boundaries, read_boundaries
from forgeguard_app.audit.check_kinds import CHECK_KINDS, ConfiguringFile, configured_by, settings_of
from forgeguard_app.audit.check_settings import BOUNDARIES, Entries
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.loosening import boundaries_loosened, exceptions_loosened, policy_loosened
from forgeguard_app.audit.model import CheckCode, Problem
from forgeguard_app.audit.pattern_sets import any_glob
from forgeguard_app.audit.policy import (
    POLICY_PATHS,
    CheckPolicy,
    CheckSettings,
    Policy,
    PolicySettings,
    laid_over,
    read_settings,
    resolve,
    settings_with,
)
from forgeguard_app.audit.secrets.allowlists import CONFIG_PATH, IGNORE_PATH, Exceptions
from forgeguard_app.audit.secrets.gitleaks_files import read_exceptions
from forgeguard_app.audit.secrets.masking import quoted

MAX_BOUNDARY_FILES = 100
_BOUNDED, _EXCEPTED = configured_by(ConfiguringFile.BOUNDARIES), configured_by(ConfiguringFile.EXCEPTIONS)
_IGNORING = next(kind.code for kind in CHECK_KINDS.values() if kind.shares_ignore)
ReadText = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Named:
    """A path pattern or a module that the repository's own settings name, with its key and place."""

    key: str
    text: str
    path: str
    line: int
    column: int
    entries: Entries


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration of one commit. `problems` are by check; those of forgeguard.yml stand under every check."""

    policy: Policy
    boundaries: tuple[Boundaries, ...]
    exceptions: Exceptions
    problems: Mapping[CheckCode, tuple[Problem, ...]]
    policy_broken: bool = False
    remarks: Mapping[CheckCode, tuple[Problem, ...]] = field(default_factory=dict)
    named: Mapping[CheckCode, tuple[Named, ...]] = field(default_factory=dict)
    incomplete: Mapping[CheckCode, tuple[str, ...]] = field(default_factory=dict)

    def broken(self, code: CheckCode) -> bool:
        """Return whether anything that the check needs is wrong."""
        return bool(self.problems.get(code))


def configuration_paths(tree: Tree) -> list[str]:
    """Return the files that can configure us, whatever the settings say; boundaries files named there come on top."""
    return [path for path in (*POLICY_PATHS, *DEFAULT_PATHS, CONFIG_PATH, IGNORE_PATH) if path in tree.blobs]


def read_policy(
    read: ReadText, tree: Tree, owner: PolicySettings, *, owner_file: bool = False
) -> tuple[Policy, tuple[Problem, ...]]:
    """Return the policy at one commit; the first of the two places that exists counts.

    `owner_file` tells the owner's `.github` repository, whose file may say more.
    """
    for path in POLICY_PATHS:
        if path in tree.blobs:
            data = read(path)
            if data is None:
                return resolve(laid_over(owner, PolicySettings()), path), (
                    Problem(path, 1, 1, "the file is too large to be read"),
                )
            text, problems = _decoded(path, data)
            settings, more = read_settings(text, path, owner=owner_file and path == POLICY_PATHS[0])
            return resolve(laid_over(owner, settings), path), (*problems, *more)
    return resolve(laid_over(owner, PolicySettings())), ()


def _decoded(path: str, data: bytes) -> tuple[str, tuple[Problem, ...]]:
    try:
        return data.decode("utf-8-sig"), ()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return "", (Problem(path, line, 1, "the file is not UTF-8 text"),)


def boundary_paths(policy: Policy, tree: Tree) -> tuple[list[str], tuple[Problem, ...]]:
    """Return the boundaries files that count, at most MAX_BOUNDARY_FILES, and a problem for each named one that does
    not exist.
    """
    found, problems = _named_boundaries(policy, tree)
    return found[:MAX_BOUNDARY_FILES], problems


def _named_boundaries(policy: Policy, tree: Tree) -> tuple[list[str], tuple[Problem, ...]]:
    settings = settings_with(policy, BOUNDARIES)
    if settings.boundaries is None:
        return [path for path in DEFAULT_PATHS if path in tree.blobs][:1], ()
    found: list[str] = []
    problems: list[Problem] = []
    place = settings.places.get("boundaries", (POLICY_PATHS[0], 1, 1))
    for pattern in settings.boundaries:
        named = [pattern] if pattern in tree.blobs else list(filter(any_glob([pattern]), tree.blobs))
        if not named:
            problems.append(Problem(*place, f"no file of the repository is {quoted(pattern)}"))
        found.extend(named)
    return list(dict.fromkeys(found)), tuple(problems)


def read_configuration(
    read: ReadText,
    tree: Tree,
    owner: PolicySettings,
    *,
    owner_file: bool = False,
    tick: Callable[[], object] = lambda: None,
) -> Configuration:
    """Return the configuration of the commit with this tree; `read` gives a path's bytes, None where it is too
    large. `tick` is called for each file and in long ones, and may raise.
    """
    policy, policy_problems = read_policy(read, tree, owner, owner_file=owner_file)
    named, missing = _named_boundaries(policy, tree)
    paths, more = named[:MAX_BOUNDARY_FILES], len(named) - MAX_BOUNDARY_FILES
    incomplete = (f"{more:,} boundaries files after the first {MAX_BOUNDARY_FILES}.",) if more > 0 else ()
    problems: list[Problem] = list(missing)
    boundaries: list[Boundaries] = []
    for path in paths:
        tick()
        data = read(path)
        if data is None:
            problems.append(Problem(path, 1, 1, "the file is too large to be read"))
            continue
        text, wrong = _decoded(path, data)
        file, errors = (Boundaries(path), ()) if wrong else read_boundaries(text, path, tick)
        boundaries.append(file)
        problems.extend((*wrong, *errors))
    exceptions, secret_problems = read_exceptions(
        _read_present(read, tree, CONFIG_PATH), _read_present(read, tree, IGNORE_PATH), tick
    )
    own = {_BOUNDED: tuple(problems), _EXCEPTED: secret_problems}
    return Configuration(
        policy,
        tuple(boundaries),
        exceptions,
        {code: (*policy_problems, *own.get(code, ())) for code in CheckCode},
        bool(policy_problems),
        remarks={_EXCEPTED: exceptions.remarks},
        named=_named(read, tree),
        incomplete={_BOUNDED: incomplete},
    )


def _named(read: ReadText, tree: Tree) -> dict[CheckCode, tuple[Named, ...]]:
    """Return what the repository's own file names, by check; what the owner's defaults name may be for other
    repositories.
    """
    path = next((path for path in POLICY_PATHS if path in tree.blobs), None)
    data = read(path) if path is not None else None
    if path is None or data is None:
        return {}
    settings, _ = read_settings(_decoded(path, data)[0], path, owner=True)
    named: dict[CheckCode, tuple[Named, ...]] = {}
    for code in CheckCode:
        own = settings.checks.get(code, CheckSettings())
        found = [
            _place_of(f"checks.{code}.{setting.key}", setting.key, text, own.places, setting.entries)
            for setting in settings_of(code)
            if setting.entries is not None
            for text in getattr(own, setting.key) or ()
        ]
        if code is _IGNORING:  # said once, and not for each check
            found += [
                _place_of("ignore", "ignore", text, settings.places, Entries.GLOBS) for text in settings.ignore or ()
            ]
        named[code] = tuple(found)
    return named


def _place_of(where: str, key: str, text: str, places: Mapping[str, tuple[str, int, int]], entries: Entries) -> Named:
    place = places.get(f"{key}.{text}") or places.get(key) or (POLICY_PATHS[0], 1, 1)
    return Named(where, text, *place, entries)


def _read_present(read: ReadText, tree: Tree, path: str) -> bytes | None:
    return read(path) if path in tree.blobs else None


@dataclass(frozen=True, slots=True)
class EffectiveConfig:
    """The configuration that applies, with head's problems and what must be said in the summary, by check."""

    policy: Policy
    boundaries: tuple[Boundaries, ...]
    exceptions: Exceptions
    problems: Mapping[CheckCode, tuple[Problem, ...]]
    notes: Mapping[CheckCode, tuple[str, ...]]
    remarks: Mapping[CheckCode, tuple[Problem, ...]] = field(default_factory=dict)
    named: Mapping[CheckCode, tuple[Named, ...]] = field(default_factory=dict)
    incomplete: Mapping[CheckCode, tuple[str, ...]] = field(default_factory=dict)


def choose(
    head: Configuration, base: Configuration | None, *, target_applies: bool, fork: bool, owner: PolicySettings
) -> EffectiveConfig:
    """Return the configuration that applies; `base` is that of the target, None where there is no earlier commit."""
    defaults = resolve(laid_over(owner, PolicySettings()))
    if fork:
        return _for_fork(head, base, defaults)
    if target_applies and base is not None:
        return _by_target(head, base)
    notes = {code: _compared(code, base, head) if base is not None else () for code in CheckCode}
    policy = {code: head.policy[code] if not head.policy_broken else defaults[code] for code in CheckCode}
    return EffectiveConfig(
        policy, head.boundaries, head.exceptions, head.problems, notes, head.remarks, head.named, head.incomplete
    )


def _for_fork(head: Configuration, target: Configuration | None, defaults: Policy) -> EffectiveConfig:
    """Return a fork's configuration: the target's valid files, else the built-in settings; nothing of its head."""
    if target is None:
        note = "The target holds no configuration; evaluated by the built-in settings."
        return EffectiveConfig(defaults, (), Exceptions(inline=False), head.problems, dict.fromkeys(CheckCode, (note,)))
    policy, boundaries = (defaults if target.policy_broken else target.policy), _valid_boundaries(target)
    notes = {code: _evaluated_by_target(code, target) for code in CheckCode}
    exceptions = replace(target.exceptions, inline=False)
    return EffectiveConfig(policy, boundaries, exceptions, head.problems, notes, incomplete=target.incomplete)


def _evaluated_by_target(code: CheckCode, target: Configuration) -> tuple[str, ...]:
    broken = _broken_files(code, target)
    if not broken:
        return ("Evaluated by the configuration of the target branch.",)
    rest = "the built-in settings and the target's files that are valid" if target.policy_broken else "the valid rest"
    return (f"The target's {broken} is broken and was skipped; evaluated by {rest}.",)


def _valid_boundaries(target: Configuration) -> tuple[Boundaries, ...]:
    broken = {problem.path for problem in target.problems.get(_BOUNDED, ())}
    return tuple(file for file in target.boundaries if file.path not in broken)


def _by_target(head: Configuration, target: Configuration) -> EffectiveConfig:
    """Return the configuration of an own branch where the owner enforces the target's rules.

    A broken file at the target is skipped.
    """
    policy: dict[CheckCode, CheckPolicy] = {}
    notes: dict[CheckCode, tuple[str, ...]] = {}
    for code in CheckCode:
        broken = _broken_files(code, target)
        policy[code] = (head if broken else target).policy[code]
        notes[code] = (
            (f"The target's {broken} is broken and was skipped; evaluated by the configuration at head.",)
            if broken
            else ("Evaluated by the configuration of the target branch.",)
        )
    chosen = head if target.broken(_BOUNDED) else target
    exceptions = replace(target.exceptions, inline=True)
    return EffectiveConfig(
        policy, chosen.boundaries, exceptions, head.problems, notes, head.remarks, head.named, chosen.incomplete
    )


def _broken_files(code: CheckCode, target: Configuration) -> str:
    return ", ".join(dict.fromkeys(problem.path for problem in target.problems.get(code, ())))


def _compared(code: CheckCode, base: Configuration, head: Configuration) -> tuple[str, ...]:
    """Return what head loosens, or why that was not compared."""
    if broken := _broken_files(code, base):
        return (f"The target's {broken} is broken and was skipped: what this change loosens was not compared.",)
    return tuple(_loosened(code, base, head))


def by_contract(
    config: EffectiveConfig, text: str, note: str, before: str | None = None, loosens: str = ""
) -> EffectiveConfig:
    """Apply the project's boundaries where the repository names none, and say what they loosen."""
    own = (
        config.boundaries
        or settings_with(config.policy, BOUNDARIES).boundaries is not None
        or config.problems.get(_BOUNDED)
    )
    boundaries, problems = read_boundaries(text, CONTRACT_PATH)
    if own or problems:
        return config
    former = () if before is None else (read_boundaries(before, CONTRACT_PATH)[0],)
    loosenings = boundaries_loosened(former, (boundaries,)) if former else []
    added = (f"{loosens}: {', '.join(loosenings)}.", note) if loosenings else (note,)
    notes = {**config.notes, _BOUNDED: (*added, *config.notes.get(_BOUNDED, ()))}
    return replace(config, boundaries=(boundaries,), notes=notes)


def by_contract_alone(
    head: Configuration, target: Configuration | None, text: str, owner: PolicySettings
) -> EffectiveConfig:
    """Apply the project's boundaries and the target's settings; head's files are validated, and decide nothing."""
    defaults = resolve(laid_over(owner, PolicySettings()))
    trusted = target.policy if target is not None and not target.policy_broken else defaults
    policy = {**trusted, _BOUNDED: replace(trusted[_BOUNDED], boundaries=None)}
    boundaries, _ = read_boundaries(text, CONTRACT_PATH)
    exceptions = replace(target.exceptions if target is not None else Exceptions(), inline=False)
    return EffectiveConfig(policy, (boundaries,), exceptions, head.problems, {})


def _loosened(code: CheckCode, base: Configuration, head: Configuration) -> list[str]:
    if base.broken(code) or head.broken(code):
        return []
    loosenings = policy_loosened(code, base.policy[code], head.policy[code])
    if code is _BOUNDED:
        loosenings.extend(boundaries_loosened(base.boundaries, head.boundaries))
    if code is _EXCEPTED:
        loosenings.extend(exceptions_loosened(base.exceptions, head.exceptions))
    return [f"This change loosens the rules: {', '.join(loosenings)}."] if loosenings else []
