"""One step of several that nobody waits for: a step that fails holds up no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.store.pool import DATABASE_ERRORS

log = structlog.get_logger()


async def try_step(context: WorkerContext, name: str, step: Callable[[], Awaitable[object]], **of: object) -> bool:
    """Return whether the step succeeded; a failure is counted, and logged with the thing that it was a step `of`."""
    try:
        await step()
    except (RetryLater, RequestRejected, *DATABASE_ERRORS) as error:
        context.counts.add("errors", "Chore" + type(error).__name__)
        log.warning("step.failed", step=name, error=type(error).__name__, reason=str(error), **of)
        return False
    except Exception as error:
        context.counts.add("errors", "Chore" + type(error).__name__)
        log.error("chore.failed", chore=name, error=type(error).__name__, exc_info=True, **of)
        return False
    return True
