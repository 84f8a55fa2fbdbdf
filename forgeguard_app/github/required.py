"""Which checks GitHub requires on a branch: by rulesets, and by the older branch protection."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.repo_access import RepoAccess

REQUESTS = 2
MOST_NAMES = 200
_NOT_FOUND = 404


async def list_required(access: RepoAccess, branch: str) -> list[str] | None:
    """Return the names of the required checks; None where GitHub does not say.

    Raises:
        InstallationUnavailable: the installation is suspended or gone, or lacks the repository.
        RetryLater: GitHub is away, or its limit is reached.
    """
    try:
        rules = await access.ask("GET", f"/rules/branches/{quote(branch, safe='')}?per_page=100")
        branches = await access.ask("GET", "/branches?protected=true&per_page=100")
    except RequestRejected as error:
        # Rulesets are not available on every plan and every GitHub Enterprise Server:
        # https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/about-rulesets
        if error.status in (403, _NOT_FOUND):
            return None
        raise
    names = [name for rule in _dicts(rules) if rule.get("type") == "required_status_checks" for name in _of_rule(rule)]
    names += [name for found in _dicts(branches) if found.get("name") == branch for name in _of_protection(found)]
    return sorted({name for name in names if isinstance(name, str)})[:MOST_NAMES]


def _of_rule(rule: dict[str, Any]) -> list[object]:
    parameters = rule.get("parameters") or {}
    return [check.get("context") for check in _dicts(parameters.get("required_status_checks"))]


def _of_protection(branch: dict[str, Any]) -> list[object]:
    required = (branch.get("protection") or {}).get("required_status_checks") or {}
    contexts = required.get("contexts")
    return list(contexts) if isinstance(contexts, list) else []


def _dicts(found: Any) -> list[dict[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
