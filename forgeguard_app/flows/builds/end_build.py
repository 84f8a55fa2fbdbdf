"""A build comes to its end, and its project moves with it."""

from __future__ import annotations

from forgeguard_app.flows.projects.manage_project import apply_action
from forgeguard_app.projects.lifecycle import Action, Status, refusal
from forgeguard_app.store.builds import Build, set_build_ended
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.projects import find_project
from forgeguard_app.store.states import BuildStatus


async def end_build(
    connection: Connection, build: Build, status: BuildStatus, detail: str | None = None, pull_url: str | None = None
) -> bool:
    """End the build: completed, failed or cancelled; False where it was at its end before. Wants a transaction."""
    # The project before its build, in the order of start_build.
    project = await find_project(connection, build.project_id, lock=True)
    if not await set_build_ended(connection, build.id, status, detail=detail, pull_url=pull_url):
        return False
    move = Action.FINISH_BUILD if status == BuildStatus.COMPLETED else Action.STOP_BUILD
    if project is not None and refusal(Status(project.status), move) is None:
        await apply_action(connection, build.project_id, move)
    await notify_change(connection, build.id)
    await notify_change(connection, build.project_id)
    return True
