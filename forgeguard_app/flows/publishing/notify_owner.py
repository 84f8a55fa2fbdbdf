"""The owner is told what cannot wait for somebody to look: a new secret, a default branch that turns red or recovers,
an ERROR.

What is told is decided from what was stored, so that a message that is sent twice says the same; never a value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from forgeguard_app.audit.masked_text import shown
from forgeguard_app.audit.model import Result
from forgeguard_app.audit.policy import PolicySettings
from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.flows.context.owner_policy import owner_settings
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.notices import NotTaken
from forgeguard_app.store.audits import AuditRun, Verdict, find_run
from forgeguard_app.store.installations import Installation, find_installation
from forgeguard_app.store.news import FreshSecret, find_former_result, list_fresh_secrets, set_notified
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.repos import Repo, get_repo
from forgeguard_app.store.states import Trigger
from forgeguard_app.vault import signature_of

MOST_SECRETS = 20
MAX_CHARS = 3_000
GIVE_UP_AFTER = timedelta(days=1)
_RED = ("FAIL", "ERROR")
log = structlog.get_logger()


def may_notify(owner: PolicySettings, run: AuditRun, repo: Repo, verdict: Verdict) -> bool:
    """Return whether somebody wants to hear, and the verdict may hold news; what it is is decided later."""
    if owner.notify is None or run.trigger == Trigger.INSTALLATION:
        return False
    quiet = verdict.overall_result == Result.PASS and all(check.result == Result.PASS for check, _ in verdict.checks)
    return not quiet or run.branch == repo.default_branch


async def schedule_notice(connection: Connection, run_id: UUID) -> None:
    """Enqueue the job, durable with the verdict."""
    await enqueue_job(connection, Job(Task.NOTIFY_OWNER, run_id, Priority.NOTICE))


async def notify_owner(context: WorkerContext, run_id: UUID) -> None:
    """Send the message, where there is news.

    Raises:
        RetryLater: it did not arrive; for a day it is tried again.
    """
    async with context.pool.acquire() as connection:
        run = await find_run(connection, run_id)
        if run is None:
            return
        repo = await get_repo(connection, run.repo_id)
        installation = await find_installation(connection, repo.installation_id)
        former = await find_former_result(connection, run)
        secrets = await list_fresh_secrets(connection, run, MOST_SECRETS + 1)
    address = owner_settings(installation).notify if installation else None
    news = news_of(run, repo, former, secrets)
    if installation is None or address is None or not news:
        return
    body = json.dumps({"text": _message(context, run, repo, news)}, ensure_ascii=False).encode()
    await _send(context, installation, run, address, body)


def news_of(run: AuditRun, repo: Repo, former: str | None, secrets: Sequence[FreshSecret]) -> list[str]:
    """Return sentences in Slack's markup; none where the owner has nothing to learn."""
    sentences: list[str] = []
    if secrets:
        more = len(secrets) > MOST_SECRETS
        sentences.append(
            f"{'More than ' if more else ''}{min(len(secrets), MOST_SECRETS)} new secret(s): revoke first, then remove."
        )
        sentences += [
            f"• `{_code(secret.path)}:{secret.line}` {_text(secret.rule)}" for secret in secrets[:MOST_SECRETS]
        ]
    red, was_red = run.overall_result in _RED, former in _RED
    if run.overall_result == Result.ERROR and former != Result.ERROR:
        sentences.append(
            f"The audit could not come to a verdict. {_text(run.error_detail or 'Its page says which file is broken.')}"
        )
    if run.branch == repo.default_branch and run.target_ref is None:
        if red and not was_red:
            sentences.append("The default branch is red.")
        elif not red and was_red:
            sentences.append("The default branch has recovered.")
    return sentences


def _message(context: WorkerContext, run: AuditRun, repo: Repo, news: list[str]) -> str:
    link = f"<{context.address}/audits/{run.id}|{_text(repo.full_name)} {run.commit_sha[:10]}>"
    where = f" on `{_code(run.branch)}`" if run.branch else ""
    text = "\n".join([f"ForgeGuard, {link}{where}:", *news])
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


async def _send(context: WorkerContext, installation: Installation, run: AuditRun, address: str, body: bytes) -> None:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "ForgeGuard",
        "X-ForgeGuard-Delivery": str(run.id),
        "X-ForgeGuard-Signature-256": signature_of(context.notice_key(installation), body),
    }
    problem: Exception | None = None
    try:
        await context.notices.send(address, body, headers)
    except (NotTaken, RetryLater) as error:
        problem = error
    async with context.pool.acquire() as connection:
        await set_notified(connection, installation.id, None if problem is None else str(problem))
    if problem is None:
        log.info("notice.sent")
        return
    context.counts.add("errors", "NoticeNotTaken")
    old = run.completed_at is not None and datetime.now(UTC) - run.completed_at > GIVE_UP_AFTER
    log.warning("notice.failed", reason=str(problem), given_up=old or isinstance(problem, NotTaken))
    if isinstance(problem, RetryLater) and not old:
        raise problem


def _text(text: str) -> str:
    """Return a stranger's words in Slack's markup: no link, no mention (`<!channel>`), no second line."""
    text = shown(" ".join(text.split()), 500)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    return _text(text.replace("`", "ˋ"))
