"""Finish set-up with GitHub's answer: trade its code for the App once, however often the answer is opened."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from enum import Enum, auto
from typing import assert_never

import structlog

from forgeguard_app.errors import Temporary, UserError
from forgeguard_app.flows.context.web_context import Front
from forgeguard_app.flows.people.set_up_app import Credentials, api_of, opened, read_credentials, seal_app, take_up
from forgeguard_app.flows.people.setup_stops import (
    already_set_up,
    code_refused,
    not_answered,
    not_asked,
    not_used,
    other_browser,
    under_way,
)
from forgeguard_app.github.app_manifest import is_code, trade_manifest_code
from forgeguard_app.github.client import REQUEST_TIMEOUT_S, Refused
from forgeguard_app.store.credentials import Outcome, SetupLink, Try, find_app, find_link, insert_app, set_try
from forgeguard_app.vault import digest, same

WAIT_S = 10.0  # for another tab that trades the same code
LOOK_S = 0.1
DEAD_S = REQUEST_TIMEOUT_S + 10.0  # whoever trades longer than this has died
log = structlog.get_logger()


class Step(Enum):
    """What is to be done with an answer."""

    TRADE = auto()
    WAIT = auto()
    SHOW = auto()  # the App was made of this very answer
    REFUSED = auto()
    NOT_USED = auto()
    NOT_ASKED = auto()
    OTHER_BROWSER = auto()
    SET_UP_ELSEWHERE = auto()  # the App exists, and this browser did not make it


def choose_step(
    link: SetupLink | None, browser: str, state: str, code: str, *, app_exists: bool
) -> tuple[Step, Try | None]:
    """Decide what is to be done with an answer, given as digests, and which try it answers."""
    if link is None or link.browser_hash is None or not same(link.browser_hash, browser):
        return (Step.SET_UP_ELSEWHERE if app_exists else Step.OTHER_BROWSER), None
    found = next((one for one in link.tries if same(one.state_hash, state)), None)
    if found is None:
        return Step.NOT_ASKED, None
    again = same(found.code_hash, code)
    match found.outcome:
        case Outcome.MADE:
            return (Step.SHOW if again and app_exists else Step.NOT_USED), found
        case _ if app_exists:
            return Step.NOT_USED, found
        case Outcome.TAKEN:
            return (Step.WAIT if link.now - found.taken_at < DEAD_S else Step.TRADE), found
        case Outcome.REFUSED:
            return (Step.REFUSED if again else Step.TRADE), found
        case Outcome.AWAITED:
            return Step.TRADE, found
        case other:
            assert_never(other)


async def finish_setup(front: Front, browser: str, state: str, code: str) -> Credentials:
    """Return the App's credentials: stored before anything else happens, and taken up by the running server.

    Raises:
        SetupStopped: there is no App of this answer; its text says why, and what to do.
    """
    if not is_code(code) or not state:
        raise not_asked(front.github_url)
    deadline = time.monotonic() + WAIT_S
    while True:
        step, found = await _take(front, browser, state, code)
        if step is Step.TRADE and found is not None:
            return await _trade(front, found, code)
        if step is Step.SHOW and (credentials := await read_credentials(front.pool, front.keys)) is not None:
            return credentials
        if step is not Step.WAIT or time.monotonic() > deadline:
            raise _stop(front, step, found)
        await asyncio.sleep(LOOK_S)


async def _take(front: Front, browser: str, state: str, code: str) -> tuple[Step, Try | None]:
    """Choose the step; where the code is to be traded, nobody else trades it from here on."""
    async with front.pool.acquire() as connection, connection.transaction():
        link = await find_link(connection, lock=True)
        exists = front.app.exists or await find_app(connection) is not None
        step, found = choose_step(link, digest(browser), digest(state), digest(code), app_exists=exists)
        if step is Step.TRADE and found is not None and link is not None:
            found = replace(found, outcome=Outcome.TAKEN, code_hash=digest(code), taken_at=link.now)
            await set_try(connection, found)
    return step, found


async def _trade(front: Front, asked: Try, code: str) -> Credentials:
    api_url = api_of(asked.github_url, front)
    try:
        made = await trade_manifest_code(front.client.elsewhere(api_url), code)
    except Refused as error:
        await _note(front, asked, Outcome.REFUSED)
        log.warning("setup.code_refused", status=error.status)
        raise code_refused(asked.github_url, asked.organization) from None
    except Temporary as error:
        await _note(front, asked, Outcome.AWAITED)
        log.warning("setup.not_answered", reason=str(error))
        raise not_answered(asked.github_url, asked.organization) from None
    kept = seal_app(front.keys, made, asked.github_url, api_url, asked.public_url)
    async with front.pool.acquire() as connection, connection.transaction():
        if not await insert_app(connection, kept):
            raise not_used(asked.github_url, asked.organization, made.slug)
        await set_try(connection, replace(asked, outcome=Outcome.MADE))
    log.info("setup.done", app_id=made.app_id, slug=made.slug)
    credentials = opened(front.keys, kept)
    take_up(front, credentials)
    return credentials


async def _note(front: Front, asked: Try, outcome: Outcome) -> None:
    async with front.pool.acquire() as connection, connection.transaction():
        await set_try(connection, replace(asked, outcome=outcome))


def _stop(front: Front, step: Step, found: Try | None) -> UserError:
    github_url = found.github_url if found is not None else front.github_url
    organization = found.organization if found is not None else ""
    match step:
        case Step.OTHER_BROWSER:
            return other_browser(github_url)
        case Step.SET_UP_ELSEWHERE:
            return already_set_up(github_url)
        case Step.REFUSED:
            return code_refused(github_url, organization)
        case Step.NOT_USED | Step.SHOW:
            return not_used(github_url, organization)
        case Step.WAIT:
            return under_way()
        case Step.NOT_ASKED | Step.TRADE:
            return not_asked(github_url)
        case _:
            assert_never(step)
