"""The kinds of jobs, what each is about, and the one ladder of their priorities."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.queue import enqueue


class Task(StrEnum):
    """A kind of job, by the name under which it is queued; jobs of former versions may wait under it."""

    AUDIT_COMMIT = "audit_commit"
    START_RERUN = "start_rerun"
    PUBLISH_VERDICT = "publish_verdict"
    PUBLISH_WAITING = "publish_waiting"
    AUDIT_BASELINE = "draw_starting_line"
    ASK_ABOUT_REPO = "ask_about_repo"
    SYNC_INSTALLATION = "sync_installation"
    RESUME_INSTALLATION = "resume_installation"
    RESUME_REPO = "resume_repo"
    RECONCILE_HEADS = "reconcile_heads"
    RECORD_VIOLATIONS = "record_violations"
    RUN_TRIAL = "try_configuration"
    ADVANCE_BUILD = "advance_build"
    NOTIFY_OWNER = "tell_owner"


# The argument of each kind that says what the job is about.
SUBJECTS = {
    Task.AUDIT_COMMIT: "run_id",
    Task.START_RERUN: "request_id",
    Task.PUBLISH_VERDICT: "run_id",
    Task.PUBLISH_WAITING: "github_installation_id",
    Task.AUDIT_BASELINE: "repo_id",
    Task.ASK_ABOUT_REPO: "repo_id",
    Task.SYNC_INSTALLATION: "installation_id",
    Task.RESUME_INSTALLATION: "installation_id",
    Task.RESUME_REPO: "repo_id",
    Task.RECONCILE_HEADS: "repo_id",
    Task.RECORD_VIOLATIONS: "run_id",
    Task.RUN_TRIAL: "trial_id",
    Task.ADVANCE_BUILD: "build_id",
    Task.NOTIFY_OWNER: "about_run_id",
}


class Priority(IntEnum):
    """The ladder of what goes first among the jobs of one installation: what somebody waits for, before all else."""

    WAITING_VERDICTS = 25
    VERDICT = 20  # what is evaluated is told before more is evaluated
    MERGE_GROUP = 15  # a merge queue waits
    DEFAULT_BRANCH = 10
    TRIAL = 10  # somebody looks at the page
    PULL_REQUEST = 8
    FOUND_HEAD = 5
    BUILD = 5
    OTHER = 0
    NOTICE = -2
    QUESTION = -4  # about visibility, before the baseline of a new repository
    BASELINE = -5
    LOOK = -10  # for heads of which no event told


@dataclass(frozen=True, slots=True)
class Job:
    """A job that is to be enqueued.

    `subject` is our key of what it is about, or GitHub's number of an installation. `github_delivery_id` names the
    delivery that caused it, for the log. `also` are further arguments.
    """

    task: Task
    subject: UUID | int
    priority: int = Priority.OTHER
    github_delivery_id: str | None = None
    also: tuple[tuple[str, str], ...] = ()

    @property
    def arguments(self) -> dict[str, str]:
        """Return the arguments as the queue keeps them."""
        cause = {"delivery_id": self.github_delivery_id} if self.github_delivery_id else {}
        return {SUBJECTS[self.task]: str(self.subject)} | cause | dict(self.also)


async def enqueue_job(connection: Connection, job: Job, *, delay: timedelta | None = None) -> None:
    """Enqueue the job, in the queue of its installation; it runs at the earliest `delay` from now."""
    await enqueue(connection, job.task, job.arguments, priority=job.priority, delay=delay)
