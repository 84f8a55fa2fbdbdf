"""The boundaries of a linked project, which evaluate a repository that has none of its own."""

from __future__ import annotations

from forgeguard_app.audit.plain_text import without_links
from forgeguard_app.evaluation.request import ProjectBoundaries
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.store.projects import EvaluatedContract, LinkedBoundaries


def project_boundaries(
    context: WorkerContext, found: LinkedBoundaries | None, before: EvaluatedContract | None
) -> ProjectBoundaries | None:
    """Return the project's boundaries, for a repository that has none of its own."""
    if found is None:
        return None
    address = f"{context.address}/projects/{found.project_id}/contracts/boundaries"
    editor = f"edited by {found.edited_by}" if found.edited_by else "written from the answers"
    note = (
        f"Evaluated by the boundaries of the project “{without_links(found.name)}”, version {found.version}, "
        f"{editor}: {address}"
    )
    if before is None:
        return ProjectBoundaries(found.content, note)
    loosens = f"Version {found.version} loosens the rules against version {before.version}, evaluated before"
    return ProjectBoundaries(found.content, note, before=before.content, loosens=loosens)


def note_without_contract(found: LinkedBoundaries | None, before: EvaluatedContract | None) -> tuple[str, ...]:
    """Return a note where a project's boundaries evaluated the repository lately, and none do now."""
    if found is not None or before is None:
        return ()
    return (
        f"No project's boundaries apply any more: version {before.version} did, until its project was "
        f"unlinked or deleted.",
    )
