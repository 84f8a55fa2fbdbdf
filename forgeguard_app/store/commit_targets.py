"""Reads what a commit is evaluated for: the targets of its audit runs and of the open pull requests with that head."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.states import RunStatus

# https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/configuring-pull-request-merges/managing-a-merge-queue
MERGE_QUEUE_PREFIX = "gh-readonly-queue/"
MAX_TARGETS = 20  # of one commit
_UNFINISHED = (RunStatus.PENDING, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class AuditTarget:
    """A branch that a commit is evaluated for.

    `branch` is None for the default branch's own history, and begins with a colon, as no branch does, for a merge
    group. A fork's head is evaluated by other rules than our own one, so that the two are different targets.
    """

    branch: str | None
    fork: bool = False

    @classmethod
    def of_group(cls, branch: str | None) -> AuditTarget:
        """Return the target of a merge group, by its own branch."""
        return cls(f":{branch}")

    @property
    def is_merge_group(self) -> bool:
        """Return whether this is a merge group."""
        return self.branch is not None and self.branch.startswith(":")

    @property
    def target_ref(self) -> str | None:
        """Return the branch of a pull request or of a push; None for the default branch itself and merge groups."""
        return None if self.is_merge_group else self.branch


@dataclass(frozen=True, slots=True)
class TargetRun:
    """The newest audit run of a commit for one target.

    `is_undecided` says that the target is chosen only when the run begins, so that `target` is a guess until then.
    """

    target: AuditTarget
    id: UUID
    status: RunStatus
    overall_result: str | None
    created_at: datetime
    is_published: bool
    is_undecided: bool = False

    @property
    def is_unfinished(self) -> bool:
        """Return whether the run has no verdict yet."""
        return self.status in _UNFINISHED


@dataclass(frozen=True, slots=True)
class CommitTargets:
    """The targets of one commit.

    `runs` are the newest of each target, the newest first. `aimed` are the targets of the open pull requests whose head
    is the commit, `by_branch` those of our own whose branch it was pushed to: a push may be here before its pull
    request's event.
    """

    default_branch: str
    runs: Sequence[TargetRun] = ()
    aimed: frozenset[AuditTarget] = frozenset()
    by_branch: frozenset[AuditTarget] = frozenset()

    def list_present(self) -> list[TargetRun]:
        """Return the runs whose verdicts count for the commit, the newest first.

        These are those of the open pull requests, of the default branch itself, of merge groups, and, where no pull
        request of our own has the commit as its head, the one of its push, which aims at the default branch.
        """
        aimed = self.aimed | self.by_branch
        if all(target.fork for target in aimed):
            aimed |= {AuditTarget(self.default_branch)}
        return [
            run
            for run in self.runs
            if run.is_undecided or run.target in aimed or run.target.branch is None or run.target.is_merge_group
        ]

    def list_missing(self) -> list[AuditTarget]:
        """Return the targets of open pull requests for which there is no run, in the order in which they are wanted.

        Our own come before forks', and the default branch before all others, so that a bound cuts what matters least.
        """
        known = {run.target for run in self.runs}
        return sorted(
            (target for target in self.aimed if target not in known),
            key=lambda target: (target.branch != self.default_branch, target.fork, target.branch or ""),
        )

    def list_startable(self) -> list[AuditTarget]:
        """Return the missing targets that the bound of a commit's targets leaves room for."""
        return self.list_missing()[: self._room]

    def list_left_out(self) -> list[AuditTarget]:
        """Return the missing targets for which there is no room."""
        return self.list_missing()[self._room :]

    @property
    def _room(self) -> int:
        return max(0, MAX_TARGETS - len(self.list_present()))

    @property
    def is_waiting(self) -> bool:
        """Return whether some verdict that counts is still to come."""
        return any(run.is_unfinished for run in self.list_present())

    @property
    def has_undecided(self) -> bool:
        """Return whether a run has yet to choose its target."""
        return any(run.is_undecided for run in self.runs)

    def find(self, target: AuditTarget) -> TargetRun | None:
        """Return the newest run for the target."""
        return next((run for run in self.runs if run.target == target), None)


# The target of a run: what its event said, else what it was evaluated for ('' for the default branch's own history).
# One that has yet to choose, or failed before it did, aims at the default branch. A verdict from before the column says
# nothing for any target, which no branch's name is.
_TARGET = """CASE WHEN a.target_sha IS NOT NULL THEN ':' || a.branch WHEN a.target_ref IS NOT NULL THEN a.target_ref
    WHEN a.evaluated_target IS NOT NULL THEN nullif(a.evaluated_target, '')
    WHEN a.branch IS NOT DISTINCT FROM r.default_branch THEN NULL
    WHEN a.status = 'completed' THEN '?' ELSE r.default_branch END"""
_IS_UNDECIDED = """(a.target_ref IS NULL AND a.evaluated_target IS NULL AND NOT a.fork
    AND a.status IN ('pending', 'running') AND a.branch IS DISTINCT FROM r.default_branch)"""
_AIMS = "p.base_ref, p.head_repo_github_id IS DISTINCT FROM r.github_repo_id AS fork"


async def find_commit_targets(connection: Connection, repo_id: UUID, commit_sha: str) -> CommitTargets:
    """Return the targets of a commit; cancelled runs do not count."""
    default_branch: str = await connection.fetchval("SELECT default_branch FROM repos WHERE id = $1", repo_id)
    runs = await connection.fetch(
        f"""
        SELECT DISTINCT ON (target, fork) {_TARGET} AS target, a.fork, a.id, a.status, a.overall_result, a.created_at,
            a.published_at IS NOT NULL AS is_published, {_IS_UNDECIDED} AS is_undecided
        FROM audit_runs a JOIN repos r ON r.id = a.repo_id
        WHERE a.repo_id = $1 AND a.commit_sha = $2 AND a.status <> 'cancelled'
        ORDER BY target, fork, a.created_at DESC, a.id DESC
        """,  # noqa: S608  (expressions of ours)
        repo_id,
        commit_sha,
    )
    aimed = await connection.fetch(
        f"""
        SELECT DISTINCT {_AIMS} FROM pulls p JOIN repos r ON r.id = p.repo_id
        WHERE p.repo_id = $1 AND p.state = 'open' AND p.head_sha = $2
        """,  # noqa: S608
        repo_id,
        commit_sha,
    )
    by_branch = await connection.fetch(
        """
        SELECT DISTINCT p.base_ref FROM pulls p JOIN repos r ON r.id = p.repo_id
        WHERE p.repo_id = $1 AND p.state = 'open' AND p.head_repo_github_id = r.github_repo_id
            AND p.head_ref IN (SELECT a.branch FROM audit_runs a
                WHERE a.repo_id = $1 AND a.commit_sha = $2 AND NOT a.fork)
        """,
        repo_id,
        commit_sha,
    )
    found = [
        TargetRun(
            AuditTarget(row["target"], row["fork"]),
            row["id"],
            RunStatus(row["status"]),
            row["overall_result"],
            row["created_at"],
            row["is_published"],
            row["is_undecided"],
        )
        for row in runs
    ]
    return CommitTargets(
        default_branch,
        sorted(found, key=lambda run: (run.created_at, run.id), reverse=True),
        frozenset(AuditTarget(row["base_ref"], row["fork"]) for row in aimed),
        frozenset(AuditTarget(row["base_ref"]) for row in by_branch),
    )


async def list_evaluated_targets(
    connection: Connection, repo_id: UUID, commit_shas: Collection[str]
) -> dict[str, frozenset[AuditTarget]]:
    """Return the targets for which each of these commits has a run; a commit without one is left out."""
    rows = await connection.fetch(
        f"""
        SELECT DISTINCT a.commit_sha, {_TARGET} AS target, a.fork FROM audit_runs a JOIN repos r ON r.id = a.repo_id
        WHERE a.repo_id = $1 AND a.commit_sha = ANY($2::text[])
        """,  # noqa: S608
        repo_id,
        list(commit_shas),
    )
    found: dict[str, set[AuditTarget]] = {}
    for row in rows:
        found.setdefault(row["commit_sha"], set()).add(AuditTarget(row["target"], row["fork"]))
    return {sha: frozenset(targets) for sha, targets in found.items()}


async def set_evaluated_target(connection: Connection, run_id: UUID, branch: str | None) -> None:
    """Store the branch that a run is evaluated for, None for the default branch's own history."""
    await connection.execute("UPDATE audit_runs SET evaluated_target = $2 WHERE id = $1", run_id, branch or "")


async def list_unpublished(connection: Connection, repo_id: UUID, commit_sha: str) -> list[tuple[UUID, str | None]]:
    """Return the commit's runs whose verdicts GitHub does not hold yet and did not refuse, the oldest first.

    Each comes with GitHub's name of the delivery that caused it.
    """
    rows = await connection.fetch(
        """
        SELECT a.id, d.github_delivery_id FROM audit_runs a LEFT JOIN deliveries d ON d.id = a.delivery_id
        WHERE a.repo_id = $1 AND a.commit_sha = $2 AND a.published_at IS NULL AND a.publish_error IS NULL
            AND a.status IN ('completed', 'error', 'cancelled')
        ORDER BY a.created_at
        """,
        repo_id,
        commit_sha,
    )
    return [(row["id"], row["github_delivery_id"]) for row in rows]
