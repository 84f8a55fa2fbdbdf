"""The text of a build's pull request: its phases with their audits, and the files that a person should review first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from forgeguard_app.audit.policy import PolicySettings
from forgeguard_app.audit.report import clean
from forgeguard_app.flows.builds.build_review import deciding_between
from forgeguard_app.git.changes import list_touched
from forgeguard_app.git.command import GitRepository
from forgeguard_app.store.build_phases import BuildPhase

SHOWN_FILES = 100
SHOWN_CHARS = 200
UNKNOWN_FILES = (
    "**Review before merging**: the commit at which the build began is not in the repository any more, so "
    "ForgeGuard could"
    " not list the changed files that decide verdicts or run in CI."
)


async def list_deciding(repository: GitRepository, base: str, head: str, owner: PolicySettings) -> list[str]:
    """Return the files between the commits that decide verdicts or run in CI, as they can be shown."""
    decides = await deciding_between(repository, base, head, owner)
    return [clean(path)[:SHOWN_CHARS] for path in await list_touched(repository, base, head) if decides(path)]


def pull_request_body(introduction: str, phases: Sequence[BuildPhase], deciding: Sequence[str] | None) -> str:
    """Return the pull request's text; `deciding` is None where these files could not be listed."""
    rows = [
        f"| {phase.name} | {phase.loops} | {_audited(phase.audit)} | {(phase.commit_sha or '—')[:10]} |"
        for phase in phases
    ]
    table = ["| Phase | Failed attempts | Audit | Commit |", "|---|---|---|---|", *rows]
    return "\n".join([introduction, "", *_to_review(deciding), *table])


def _to_review(deciding: Sequence[str] | None) -> list[str]:
    if deciding is None:
        return [UNKNOWN_FILES, ""]
    if not deciding:
        return []
    more = [f"- and {len(deciding) - SHOWN_FILES} more"] if len(deciding) > SHOWN_FILES else []
    named = [f"- `{path.replace('`', '�')}`" for path in deciding[:SHOWN_FILES]]
    return [
        "**Review before merging**: the build changed files that decide verdicts or run in CI.",
        "",
        *named,
        *more,
        "",
    ]


def _audited(audit: Any) -> str:
    if not isinstance(audit, dict):
        return "—"
    return ", ".join(f"{code} {check['result']}" for code, check in audit.items())
