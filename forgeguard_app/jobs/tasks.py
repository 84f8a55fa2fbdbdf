"""One table of job kind → flow, and how a failed job is tried again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import structlog
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.jobs import Job

from forgeguard_app.errors import Temporary
from forgeguard_app.flows.audit_commit import audit_commit
from forgeguard_app.flows.context import Context
from forgeguard_app.flows.draw_starting_line import draw_starting_line
from forgeguard_app.flows.publish_verdict import publish_verdict
from forgeguard_app.store.pool import AWAY
from forgeguard_app.store.queue import QUEUE

FLOWS: dict[str, Callable[[Context, UUID], Awaitable[None]]] = {
    "audit_commit": audit_commit,
    "publish_verdict": publish_verdict,
    "draw_starting_line": draw_starting_line,
}
MAX_PASSING_FAULTS = 200
MAX_OWN_FAULTS = 5
MAX_WAIT_S = 300.0
log = structlog.get_logger()


class Retry(BaseRetryStrategy):
    """Passing faults are tried again for long, with growing waits; faults of ours a few times."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When to try again; None gives up."""
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})  # the worker is told to stop: another one takes it up
        passing = isinstance(exception, (Temporary, *AWAY))
        if job.attempts >= (MAX_PASSING_FAULTS if passing else MAX_OWN_FAULTS):
            return None
        wait = min(0.5 * 2.0 ** min(job.attempts, 12), MAX_WAIT_S)
        if isinstance(exception, Temporary) and exception.delay_s is not None:
            wait = max(exception.delay_s, min(wait, 1.0))
        return RetryDecision(retry_in={"seconds": math.ceil(wait)})


def make_app(dsn: str) -> App:
    """Procrastinate's App over our database; its tables live in a schema of their own."""
    connector = PsycopgConnector(
        conninfo=dsn, kwargs={"options": "-c search_path=procrastinate,public"}, min_size=1, max_size=4, timeout=10
    )
    app = App(connector=connector)
    for name, flow in FLOWS.items():
        app.task(name=name, queue=QUEUE, retry=Retry(), pass_context=True)(_task(name, flow))
    return app


def _task(name: str, flow: Callable[[Context, UUID], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def run(job: JobContext, run_id: str = "", repo_id: str = "", delivery_id: str = "") -> None:
        context: Any = job.additional_context["context"]
        with structlog.contextvars.bound_contextvars(
            job=name, audit_run_id=run_id, repo_id=repo_id, delivery_id=delivery_id
        ):
            try:
                await flow(context, UUID(run_id or repo_id))
            except Temporary as error:
                log.info("job.later", reason=str(error)[:200], attempt=job.job.attempts)
                raise
            except Exception as error:
                log.error("job.failed", error=type(error).__name__, attempt=job.job.attempts, exc_info=True)
                raise

    return run
