"""Work on strangers' texts beside the event loop: in a process that is ended at a deadline, its results kept by
content.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import structlog
from aiohttp import web
from markupsafe import Markup

from forgeguard_app.audit.model import Problem
from forgeguard_app.errors import UserError
from forgeguard_app.fair_turns import FairTurns, TooManyWaiting
from forgeguard_app.flows.projects.save_contract import Drafter, Edit
from forgeguard_app.processes import OutputTooLarge, ProgramTimeout, run_program
from forgeguard_app.projects.contract_types import FILES, ContractType
from forgeguard_app.projects.contracts.render import Draft
from forgeguard_app.web.aside_worker import WORK
from forgeguard_app.web.in_turn import asker_of

TIMEOUT_S = 3.0
WAIT_S = 10.0  # for one's turn
AT_ONCE = 2
WAITING_EACH = 4  # works of one asker
KEPT_BYTES = 16 << 20
MAX_RESULT_BYTES = 8 << 20  # all contracts of a project
# What is so small is done at once: even work that grows with the square of its text takes milliseconds then.
SMALL_CHARS, SMALL_LINES = 4_000, 200
_COMMAND = (sys.executable, "-I", "-m", "forgeguard_app.web.aside_worker")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any  # None where it took too long
    size: int


class Aside:
    """Does work by name.

    Callers who want the same share it, and what took too long is not tried again while that is known.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._turns = FairTurns(AT_ONCE, WAITING_EACH)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._running: dict[str, asyncio.Task[_Kept]] = {}
        self.size = 0
        self.begun = 0  # processes

    async def work(self, asker: str, name: str, *texts: str) -> Any:
        """Return the result; None where the work takes too long. Askers get their turns in turn.

        Raises:
            HTTPServiceUnavailable: too much of such work is waiting, of this asker or of all.
        """
        given = json.dumps([name, *texts]).encode()
        key = sha256(given).hexdigest()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key].value
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._run(asker, given))
            task.add_done_callback(lambda done: self._settle(key, done))
        return (await asyncio.shield(task)).value

    async def _run(self, asker: str, given: bytes) -> _Kept:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turns.take(asker)
        except (TimeoutError, TooManyWaiting):
            raise web.HTTPServiceUnavailable(reason="Many documents are being read just now; try again soon.") from None
        self.begun += 1
        try:
            done = await run_program(
                _COMMAND, env={}, timeout_s=self._timeout_s, max_bytes=MAX_RESULT_BYTES, stdin=given
            )
        except (ProgramTimeout, OutputTooLarge) as error:
            log.warning("aside.ended", reason=str(error))
            return _Kept(None, 0)
        finally:
            self._turns.give_back(asker)
        if done.status:
            log.warning("aside.failed", status=done.status)
            return _Kept(None, 0)
        return _Kept(json.loads(done.out), len(done.out))

    def _settle(self, key: str, task: asyncio.Task[_Kept]) -> None:
        del self._running[key]
        if task.cancelled() or task.exception() is not None:
            return
        self._kept[key] = task.result()
        self.size += task.result().size + len(key)
        while self.size > KEPT_BYTES:
            old, kept = self._kept.popitem(last=False)
            self.size -= kept.size + len(old)


ASIDE: web.AppKey[Aside] = web.AppKey("ASIDE")


async def _work(request: web.Request, name: str, *texts: str) -> Any:
    return await request.app[ASIDE].work(asker_of(request), name, *texts)


async def rendered(request: web.Request, text: str) -> Markup | None:
    """Return Markdown as HTML; None where that takes too long."""
    is_small = len(text) <= SMALL_CHARS
    found = WORK["markdown"](text) if is_small else await _work(request, "markdown", text)
    return None if found is None else Markup(found)  # noqa: S704  (the renderer's own output)


async def difference(request: web.Request, old: str, new: str) -> list[str] | None:
    """Return the lines of the difference; None where that takes too long."""
    is_small = old.count("\n") + new.count("\n") <= SMALL_LINES and len(old) + len(new) <= SMALL_CHARS * 4
    found: list[str] | None
    found = WORK["difference"](old, new) if is_small else await _work(request, "difference", old, new)
    return found


def checker(request: web.Request) -> Callable[[ContractType, str], Awaitable[tuple[Problem, ...]]]:
    """Return what checks a contract; one that takes too long to check has that problem."""

    async def check(kind: ContractType, text: str) -> tuple[Problem, ...]:
        is_small = len(text) <= SMALL_CHARS
        found = WORK["problems"](kind.value, text) if is_small else await _work(request, "problems", kind.value, text)
        if found is None:
            return (Problem(FILES[kind], 1, 1, "it takes too long to be checked: make it shorter or simpler"),)
        return tuple(Problem(*problem) for problem in found)

    return check


async def checked(request: web.Request, edit: Edit) -> Edit:
    """Return the edit with all that is wrong with its text."""
    return replace(edit, problems=await checker(request)(edit.kind, edit.text))


def drafter(request: web.Request) -> Drafter:
    """Return what makes a project's contracts from its answers.

    It raises UserError where that takes too long.
    """

    async def draft(name: str, state: Mapping[str, Any]) -> Mapping[ContractType, Draft]:
        text = json.dumps(state, ensure_ascii=False)
        is_small = len(text) <= SMALL_CHARS
        found = WORK["drafts"](name, text) if is_small else await _work(request, "drafts", name, text)
        if found is None:
            raise UserError("It takes too long to write contracts from these answers: shorten some of them.")
        return {
            ContractType(kind): Draft(content, tuple(Problem(*problem) for problem in problems))
            for kind, (content, problems) in found.items()
        }

    return draft
