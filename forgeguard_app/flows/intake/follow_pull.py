"""A pull request is heard of: its head is evaluated for its target, and the verdict on its head covers that target.

GitHub shows check runs on a commit, whatever pull request they were made for. So the worst verdict over all targets of
a commit is published, and published again where a target comes or goes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from forgeguard_app.flows.context.repo_records import stored_pull
from forgeguard_app.flows.intake.start_run import enqueue_publication, start_run
from forgeguard_app.flows.intake.wanted_runs import run_again, run_of_pull, target_of, wants_run
from forgeguard_app.github import events
from forgeguard_app.store.audits import AuditRun, NewRun, find_run
from forgeguard_app.store.commit_targets import CommitTargets, TargetRun, find_commit_targets
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.pulls import Pull, close_pull, find_open_pull, find_pull, upsert_pull
from forgeguard_app.store.states import PullState, Trigger


@dataclass(frozen=True, slots=True)
class TargetsChange:
    """The targets of a commit before and after a pull request was heard of."""

    before: CommitTargets
    after: CommitTargets

    def list_gone(self) -> list[TargetRun]:
        """Return the runs that count no more."""
        kept = {run.target for run in self.after.list_present()}
        return [run for run in self.before.list_present() if run.target not in kept]


def run_to_repeat(change: TargetsChange) -> TargetRun | None:
    """Return the run that is evaluated again so that the commit's verdict is published again; None where it stands.

    That is the run of a target that came back, or any one where a verdict that did not pass counts no more, or where
    there is room for other targets than before.
    """
    left = change.after.list_present()
    if not left or change.after.is_waiting:
        return None  # nothing to say, or said at the end of what is under way
    former = {run.target for run in change.before.list_present()}
    back = [run for run in left if run.target in change.after.aimed and run.target not in former]
    if back:
        return back[0]
    is_better = any(run.overall_result != "PASS" for run in change.list_gone())
    return left[0] if is_better or change.before.list_left_out() != change.after.list_left_out() else None


async def follow_pull_event(
    connection: Connection, repo_id: UUID, event: events.PullRequestEvent, delivery_id: UUID
) -> NewRun | None:
    """Store the event's pull request, and return the run that its head wants. Wants a transaction that holds the
    repository.
    """
    pull = stored_pull(event.pull_request)
    changes = await _change(connection, repo_id, pull)
    is_wanted = wants_run(event, changes[pull.head_sha].after)
    if event.pull_request.merged:  # what was merged is a matter of its target
        await enqueue_publication(connection, repo_id, pull.head_sha)  # it may have waited for the pull request's
    else:
        await _follow(connection, repo_id, changes, started=pull.head_sha if is_wanted else None)
    return run_of_pull(repo_id, pull, target_of(event), delivery_id) if is_wanted else None


async def follow_listed_pull(connection: Connection, repo_id: UUID, pull: Pull) -> None:
    """Store a pull request as GitHub lists it; what its head wants, the caller starts. Wants a transaction that holds
    the repository.
    """
    known = await find_pull(connection, repo_id, pull.number)
    if known is not None and _target_of(known) == _target_of(pull):
        await upsert_pull(connection, repo_id, pull)
    else:
        await _follow(connection, repo_id, await _change(connection, repo_id, pull))


async def close_lost_pull(connection: Connection, repo_id: UUID, number: int, asked_at: datetime) -> None:
    """Close a pull request that GitHub does not have. Wants a transaction that holds the repository."""
    known = await find_pull(connection, repo_id, number)
    if known is None:
        return
    before = await find_commit_targets(connection, repo_id, known.head_sha)
    await close_pull(connection, repo_id, number, asked_at)
    after = await find_commit_targets(connection, repo_id, known.head_sha)
    await _follow(connection, repo_id, {known.head_sha: TargetsChange(before, after)})


async def start_missing_targets(connection: Connection, repo_id: UUID, commit_sha: str) -> None:
    """Start the runs that the commit lacks for open pull requests. Wants a transaction that holds the repository."""
    targets = await find_commit_targets(connection, repo_id, commit_sha)
    if targets.has_undecided:
        return  # it may choose one of them
    for target in targets.list_startable():
        pull = await find_open_pull(connection, repo_id, commit_sha, target.branch or "", fork=target.fork)
        if pull is not None:
            await start_run(connection, run_of_pull(repo_id, pull, target, None))


def _target_of(pull: Pull) -> tuple[PullState, str, str, str, int | None]:
    return pull.state, pull.head_sha, pull.head_ref, pull.base_ref, pull.head_repo_github_id


async def _change(connection: Connection, repo_id: UUID, pull: Pull) -> dict[str, TargetsChange]:
    """Store the pull request, and return how the targets of its head, and of its former head, changed by that."""
    known = await find_pull(connection, repo_id, pull.number)
    commits = {pull.head_sha} | ({known.head_sha} if known else set())
    before = {sha: await find_commit_targets(connection, repo_id, sha) for sha in commits}
    await upsert_pull(connection, repo_id, pull)
    return {sha: TargetsChange(before[sha], await find_commit_targets(connection, repo_id, sha)) for sha in commits}


def _repeated(former: AuditRun, run: TargetRun) -> NewRun:
    """Return the run that repeats another one without anybody's request, which a re-run would be taken for."""
    again = run_again(former, target=run.target)
    return again if run.target.target_ref is None else replace(again, trigger=Trigger.PULL_REQUEST)


async def _follow(
    connection: Connection, repo_id: UUID, changes: dict[str, TargetsChange], started: str | None = None
) -> None:
    """Publish again where a target is gone whose verdict may be what GitHub shows.

    The commit `started` gets a run anyway, whose end publishes its verdict.
    """
    for sha, change in changes.items():
        if sha == started:
            continue
        again = run_to_repeat(change)
        former = await find_run(connection, again.id) if again else None
        if again is not None and former is not None:
            await start_run(connection, _repeated(former, again))
        elif change.list_gone():
            await enqueue_publication(connection, repo_id, sha)
        if change.list_gone():
            await start_missing_targets(connection, repo_id, sha)  # there may be room now
