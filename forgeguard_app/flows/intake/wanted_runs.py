"""Which audit run an event wants: plain decisions, from the event's values to a run or none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.audit.secrets.masking import masked
from forgeguard_app.flows.context.repo_records import stored_pull
from forgeguard_app.github import events
from forgeguard_app.github.events import MAX_MESSAGE_CHARS, MAX_NAME_CHARS, ZERO, clean_text
from forgeguard_app.store.audits import AuditRun, NewRun
from forgeguard_app.store.commit_targets import MERGE_QUEUE_PREFIX, AuditTarget, CommitTargets
from forgeguard_app.store.pulls import Pull
from forgeguard_app.store.states import Trigger

_OPENED = ("opened", "reopened")
_NEW_HEAD = (*_OPENED, "synchronize")
# https://docs.github.com/en/webhooks/webhook-events-and-payloads#merge_group
_GROUP = re.compile(r"gh-readonly-queue/(?P<base>.+)/pr-[0-9]+-(?P<base_sha>[0-9a-f]{40,64})\Z")


@dataclass(frozen=True, slots=True)
class Heads:
    """The present heads of a repository: its default branch with its head, open pull requests, and merge groups by
    branch.
    """

    repo_id: UUID
    github_repo_id: int
    default: tuple[str, str] | None
    pulls: Sequence[events.PullRequest]
    groups: Mapping[str, str]


def audited_branch(event: events.Push) -> str | None:
    """Return the branch whose head is to be audited; None for tags, deleted branches and the merge queue's own."""
    branch = event.ref.removeprefix("refs/heads/")
    if branch == event.ref or event.deleted or ZERO.match(event.after) or branch.startswith(MERGE_QUEUE_PREFIX):
        return None
    return branch


def run_of_push(event: events.Push, repo_id: UUID, delivery_id: UUID) -> NewRun | None:
    """Return the run of a pushed branch's new head; None where nothing is audited."""
    branch = audited_branch(event)
    if branch is None:
        return None
    commit = event.head_commit
    author = (commit.author.username or commit.author.name) if commit and commit.author else None
    return NewRun(
        repo_id=repo_id,
        commit_sha=event.after,
        branch=branch,
        before_sha=None if ZERO.match(event.before) else event.before,
        commit_message=shown_message(commit.message if commit else None),
        commit_author=shown_author(author),
        delivery_id=delivery_id,
    )


def shown_message(text: str | None) -> str | None:
    """Return a commit's message as it is kept."""
    return _shown(text, MAX_MESSAGE_CHARS)


def shown_author(text: str | None) -> str | None:
    """Return the name of a commit's author as it is kept."""
    return _shown(text, MAX_NAME_CHARS)


def _shown(text: str | None, limit: int) -> str | None:
    """Return text that is kept for people to read alone: without secrets, which a commit's message may hold.

    It ends with an ellipsis where it is longer than is kept.
    """
    if text is None:
        return None
    shown = masked(text, keep_hashes=True, limit_chars=4 * limit)
    return clean_text(f"{shown[: limit - 1]}…" if len(shown) > limit else shown, limit)


def run_of_suite(event: events.CheckSuiteEvent, repo_id: UUID, delivery_id: UUID) -> NewRun | None:
    """GitHub opened a suite for us: the push that it belongs to may never arrive."""
    suite = event.check_suite
    branch = suite.head_branch
    if branch is None or branch.startswith(MERGE_QUEUE_PREFIX):
        return None
    # Null for a branch that is new: https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_suite
    before = None if suite.before is None or ZERO.match(suite.before) else suite.before
    return NewRun(repo_id, suite.head_sha, branch, before_sha=before, delivery_id=delivery_id)


def target_of(event: events.PullRequestEvent) -> AuditTarget:
    """Return what the event's head aims at; a head of a fork that was deleted is still a fork's."""
    head = event.pull_request.head.repo
    return AuditTarget(event.pull_request.base.ref, fork=head is None or head.id != event.repository.id)


def wants_run(event: events.PullRequestEvent, targets: CommitTargets) -> bool:
    """Return whether the event's head lacks a run for the event's target; `targets` are those of the head."""
    pull, target = event.pull_request, target_of(event)
    if pull.state != "open" or targets.find(target) is not None:
        return False
    if target not in targets.aimed:  # an event that comes late: the head was replaced since
        return target.fork and event.action in _NEW_HEAD
    if not targets.runs and not target.fork:
        # The head's push is on its way, and covers what is open then.
        retargeted = event.action == "edited" and event.changes is not None and event.changes.base is not None
        return retargeted or (event.action in _OPENED and pull.base.ref != event.repository.default_branch)
    # A push that is not begun yet may choose this target; its end starts what is missing then.
    return target in targets.list_startable() and (target.fork or not targets.has_undecided)


def run_of_pull(repo_id: UUID, pull: Pull, target: AuditTarget, delivery_id: UUID | None) -> NewRun:
    """Return the run that evaluates a pull request's head for its target."""
    return NewRun(
        repo_id=repo_id,
        commit_sha=pull.head_sha,
        # A fork's branch may bear the name of one of ours.
        branch=f"pull/{pull.number}" if target.fork else pull.head_ref,
        delivery_id=delivery_id,
        trigger=Trigger.PULL_REQUEST,
        fetch_ref=f"refs/pull/{pull.number}/head" if target.fork else None,
        target_ref=target.branch,
        fork=target.fork,
    )


def run_of_merge_group(event: events.MergeGroupEvent, repo_id: UUID, delivery_id: UUID) -> NewRun | None:
    """Return the run that evaluates a merge group against the commit that it is stacked on."""
    if event.action != "checks_requested":
        return None
    group = event.merge_group
    return NewRun(
        repo_id=repo_id,
        commit_sha=group.head_sha,
        branch=group.head_ref.removeprefix("refs/heads/"),
        delivery_id=delivery_id,
        trigger=Trigger.MERGE_GROUP,
        target_ref=group.base_ref.removeprefix("refs/heads/"),
        target_sha=group.base_sha,
    )


def runs_of_heads(heads: Heads, known: Mapping[str, frozenset[AuditTarget]], *, fresh: bool = False) -> list[NewRun]:
    """Return the runs that a repository's present heads lack; `known` are the commits with a run, and its targets.

    On a default branch that is `fresh`, never evaluated before, its head is the baseline.
    A head gets one; the others that open pull requests want begin with its end, or with `start_missing_targets`.
    """
    wanted: list[NewRun] = []
    if heads.default is not None and AuditTarget(None) not in known.get(heads.default[1], ()):
        trigger = Trigger.INSTALLATION if fresh else Trigger.PUSH
        wanted.append(NewRun(heads.repo_id, heads.default[1], heads.default[0], trigger=trigger))
    begun = {run.commit_sha for run in wanted} | known.keys()
    for pull in heads.pulls:
        if pull.head.sha in begun:
            continue
        begun.add(pull.head.sha)
        fork = pull.head.repo is None or pull.head.repo.id != heads.github_repo_id
        if fork:
            wanted.append(run_of_pull(heads.repo_id, stored_pull(pull), AuditTarget(pull.base.ref, fork=True), None))
        else:
            wanted.append(NewRun(heads.repo_id, pull.head.sha, pull.head.ref))
    for branch, sha in heads.groups.items():
        group = _GROUP.match(branch)
        if group is not None and AuditTarget.of_group(branch) not in known.get(sha, ()):
            base, base_sha = group["base"], group["base_sha"]
            wanted.append(
                NewRun(heads.repo_id, sha, branch, trigger=Trigger.MERGE_GROUP, target_ref=base, target_sha=base_sha)
            )
    return wanted


def run_again(former: AuditRun, delivery_id: UUID | None = None, target: AuditTarget | None = None) -> NewRun:
    """Return the run of the same head once more, under today's rules; for `target`, where the former chose it."""
    return NewRun(
        repo_id=former.repo_id,
        commit_sha=former.commit_sha,
        branch=former.branch,
        before_sha=former.before_sha,
        commit_message=former.commit_message,
        commit_author=former.commit_author,
        delivery_id=delivery_id,
        trigger=Trigger.RERUN,
        fetch_ref=former.fetch_ref,
        target_ref=former.target_ref or (target.target_ref if target else None),
        target_sha=former.target_sha,
        fork=former.fork,
    )
