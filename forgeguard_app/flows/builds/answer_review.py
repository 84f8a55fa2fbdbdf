"""A person answers a build that waits for an approval: it goes on with the changes, or its builder gets them back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog

from forgeguard_app.audit.masked_text import shown
from forgeguard_app.errors import UserError
from forgeguard_app.flows.builds.end_build import end_build
from forgeguard_app.flows.builds.start_build import enqueue_build
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.store.build_changes import answer_review, approve_changes, list_asked, list_unanswered
from forgeguard_app.store.build_logs import NewLine, insert_lines
from forgeguard_app.store.builds import Build, Loop, find_build, set_loop
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.states import BuildStatus

MAX_WAIT_DAYS = 7
MAX_LOOPS = 3
MAX_REASON_CHARS = 2_000
MAX_LINE_CHARS = 4_000
SHOWN_FILES = 10
AT_ONCE = 100
log = structlog.get_logger()


class OutdatedAnswer(UserError):
    """The build does not wait for an approval of this commit; somebody else was faster, or it went on."""


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """A person's answer to the changes of `commit`; `reason` is for the builder, where they are returned to it."""

    commit: str
    approves: bool
    reason: str = ""


async def answer_build(pool: Pool, build: Build, person: Person, answer: ReviewAnswer) -> None:
    """Let the build go on, by a person who may write to its repository.

    Raises:
        OutdatedAnswer: the build does not wait with that commit any more.
    """
    async with pool.acquire() as connection, connection.transaction():
        changes = await list_asked(connection, build.id)
        number = await answer_review(connection, build.id, answer.commit)
        if number is None:
            raise OutdatedAnswer("This build does not wait for an approval of these changes. Load the page again.")
        goes_on = True
        await _say(connection, build.id, _sentence(person.login, answer, [change.path for change in changes]))
        if answer.approves:
            await approve_changes(connection, build.id, answer.commit, person.user_id, person.login)
        else:
            paths = [change.path for change in changes]
            goes_on = await _hand_back(connection, build, number, _findings(person.login, answer, paths))
        if goes_on:
            await enqueue_build(connection, build.id)
        await notify_change(connection, build.id)
    log.info("build.answered", build_id=str(build.id), approves=answer.approves)


def _sentence(login: str, answer: ReviewAnswer, paths: list[str]) -> str:
    names = ", ".join(paths[:SHOWN_FILES]) + (
        f" and {len(paths) - SHOWN_FILES} more" if len(paths) > SHOWN_FILES else ""
    )
    if answer.approves:
        return f"{login} approved the changes of {names}."
    return f"{login} handed the changes of {names} back to the builder. {answer.reason}".strip()


async def _say(connection: Connection, build_id: UUID, sentence: str) -> None:
    """Write a line into the build's log, which nobody else writes while the build waits."""
    line = NewLine(datetime.now(UTC), "system", "info", shown(sentence, MAX_LINE_CHARS))
    await insert_lines(connection, build_id, [line])


def _findings(login: str, answer: ReviewAnswer, paths: list[str]) -> list[dict[str, str]]:
    reason = shown(answer.reason, MAX_REASON_CHARS).strip()
    message = f"{login} did not approve the change.{f' {reason}' if reason else ''}"
    return [{"check": "approval", "path": path, "message": message} for path in paths]


async def _hand_back(connection: Connection, build: Build, number: int, findings: list[dict[str, str]]) -> bool:
    """Hand the changes back as a failed attempt; whether there is another one."""
    loops = await set_loop(connection, build.id, number, Loop(findings, None, build.review_sha))
    if loops < MAX_LOOPS:
        return True
    message = findings[0]["message"] if findings else "The changes were not approved."
    detail = f"{build.phase} did not pass {MAX_LOOPS} times in a row. The last time: {message}"
    await end_build(connection, build, BuildStatus.FAILED, detail)
    return False


async def end_unanswered(pool: Pool) -> int:
    """End the builds that nobody answered in time. Return their number."""
    async with pool.acquire() as connection:
        found = await list_unanswered(connection, MAX_WAIT_DAYS, AT_ONCE)
    for build_id in found:
        async with pool.acquire() as connection, connection.transaction():
            build = await find_build(connection, build_id)
            if build is not None and build.status == BuildStatus.AWAITING_APPROVAL:
                detail = f"Nobody approved the changes of {build.phase} within {MAX_WAIT_DAYS} days."
                await _say(connection, build_id, detail)
                await end_build(connection, build, BuildStatus.FAILED, detail)
    return len(found)
