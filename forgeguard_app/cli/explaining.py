"""`forgeguard audit --explain`: what a rule finds; for a repository's own rule, the reason that its files give."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.explain import explain, similar
from forgeguard_app.audit.plain_text import escaped_lines
from forgeguard_app.audit.secrets.masking import masked, quoted
from forgeguard_app.cli.targets import find_target
from forgeguard_app.errors import UserError
from forgeguard_app.evaluation.own_configuration import read_own_configuration
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.git.checkout import open_checkout
from forgeguard_app.git.command import GitError
from forgeguard_app.git.folder import commit_folder, list_work_tree
from forgeguard_app.git.locate import Location
from forgeguard_app.git.range import resolve

_CONFIGURATION = (".json", ".yml", ".yaml", ".toml", ".importlinter")


def explanation(rule: str, paths: Sequence[str]) -> str:
    """Return the text on a rule.

    Raises:
        UserError: there is no such rule; names those that come close.
    """
    known = explain(rule)
    own = _own_rules(paths) if known is None or "/" in rule else {}
    name, where = rule, rule.partition("/")[0]
    for code in own:
        name = name.removeprefix(f"{code}/")
    parts = name.split("/")
    for code, rules in own.items():
        reason = next((rules[key] for key in (name, "/".join(parts[:2]), parts[0]) if key in rules), None)
        if reason is not None and where not in own.keys() - {code}:
            return masked(escaped_lines(f"{name}\n{reason}\n\n{explain(code)}"))
    if known is not None:
        return known
    close = [*similar(rule), *(key for rules in own.values() for key in rules if name and name in key)][:5]
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    raise UserError(f"there is no rule {quoted(rule)} here{masked(hint)}")


def _own_rules(paths: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the rules of the repository's files by check, as they lie in the work tree; none where there is no
    repository.
    """
    location = find_target(paths, []).location
    if location is None:
        return {}
    try:
        return asyncio.run(_read(location))
    except GitError:
        return {}


async def _read(location: Location) -> dict[str, dict[str, str]]:
    async with open_checkout(location) as checkout:
        if location.work_tree is not None:
            names = [name for name in await list_work_tree(checkout) if name.endswith(_CONFIGURATION)]
            head, _ = await commit_folder(checkout.view, location.work_tree, names)
        elif (found := await resolve(checkout.repository, "HEAD")) is not None:
            head = found
        else:
            return {}
        own = await read_own_configuration(LocalSource(checkout.view), head)
        return {str(code): check.own_rules(own) for code, check in CHECKS.items() if check.own_rules is not None}
