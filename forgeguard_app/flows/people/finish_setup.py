"""Finish set-up with GitHub's answer: trade its code for the App once, however often the answer is opened."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from enum import Enum, auto
from typing import assert_never

import structlog

from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.people.set_up_app import (
    OpenedCredentials,
    api_of,
    opened,
    read_credentials,
    seal_app,
    store_app,
)
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
from forgeguard_app.github.client import REQUEST_TIMEOUT_S, RequestRejected
from forgeguard_app.store.credentials import AttemptOutcome, SetupLink, Try, find_app, find_link, insert_app, set_try
from forgeguard_app.vault import digest, same

WAIT_S = 10.0  # for another tab that trades the same code
LOOK_S = 0.1
DEAD_S = REQUEST_TIMEOUT_S + 10.0  # a process that trades longer than this has died
log = structlog.get_logger()


class SetupStep(Enum):
    """The next step after an answer of GitHub's."""

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
) -> tuple[SetupStep, Try | None]:
    """Decide what is to be done with an answer, given as digests, and which try it answers."""
    if link is None or link.browser_hash is None or not same(link.browser_hash, browser):
        return (SetupStep.SET_UP_ELSEWHERE if app_exists else SetupStep.OTHER_BROWSER), None
    found = next((attempt for attempt in link.tries if same(attempt.state_hash, state)), None)
    if found is None:
        return SetupStep.NOT_ASKED, None
    again = same(found.code_hash, code)
    match found.outcome:
        case AttemptOutcome.MADE:
            return (SetupStep.SHOW if again and app_exists else SetupStep.NOT_USED), found
        case _ if app_exists:
            return SetupStep.NOT_USED, found
        case AttemptOutcome.TAKEN:
            return (SetupStep.WAIT if link.now - found.taken_at < DEAD_S else SetupStep.TRADE), found
        case AttemptOutcome.REFUSED:
            return (SetupStep.REFUSED if again else SetupStep.TRADE), found
        case AttemptOutcome.AWAITED:
            return SetupStep.TRADE, found
        case other:
            assert_never(other)


async def finish_setup(context: WebContext, browser: str, state: str, code: str) -> OpenedCredentials:
    """Return the App's credentials: stored before anything else happens, and used by the running server.

    Raises:
        SetupStopped: there is no App of this answer; its text says why, and what to do.
    """
    if not is_code(code) or not state:
        raise not_asked(context.github_url)
    deadline = time.monotonic() + WAIT_S
    while True:
        step, found = await _take(context, browser, state, code)
        if step is SetupStep.TRADE and found is not None:
            return await _trade(context, found, code)
        if step is SetupStep.SHOW and (credentials := await read_credentials(context.pool, context.keys)) is not None:
            return credentials
        if step is not SetupStep.WAIT or time.monotonic() > deadline:
            raise _stop(context, step, found)
        await asyncio.sleep(LOOK_S)


async def _take(context: WebContext, browser: str, state: str, code: str) -> tuple[SetupStep, Try | None]:
    """Choose the step; where the code is to be traded, nobody else trades it from here on."""
    async with context.pool.acquire() as connection, connection.transaction():
        link = await find_link(connection, lock=True)
        exists = context.app.exists or await find_app(connection) is not None
        step, found = choose_step(link, digest(browser), digest(state), digest(code), app_exists=exists)
        if step is SetupStep.TRADE and found is not None and link is not None:
            found = replace(found, outcome=AttemptOutcome.TAKEN, code_hash=digest(code), taken_at=link.now)
            await set_try(connection, found)
    return step, found


async def _trade(context: WebContext, asked: Try, code: str) -> OpenedCredentials:
    api_url = api_of(asked.github_url, context)
    try:
        made = await trade_manifest_code(context.client.elsewhere(api_url), code)
    except RequestRejected as error:
        await _note(context, asked, AttemptOutcome.REFUSED)
        log.warning("setup.code_refused", status=error.status)
        raise code_refused(asked.github_url, asked.organization) from None
    except RetryLater as error:
        await _note(context, asked, AttemptOutcome.AWAITED)
        log.warning("setup.not_answered", reason=str(error))
        raise not_answered(asked.github_url, asked.organization) from None
    kept = seal_app(context.keys, made, asked.github_url, api_url, asked.public_url)
    async with context.pool.acquire() as connection, connection.transaction():
        if not await insert_app(connection, kept):
            raise not_used(asked.github_url, asked.organization, made.slug)
        await set_try(connection, replace(asked, outcome=AttemptOutcome.MADE))
    log.info("setup.done", app_id=made.app_id, slug=made.slug)
    credentials = opened(context.keys, kept)
    store_app(context, credentials)
    return credentials


async def _note(context: WebContext, asked: Try, outcome: AttemptOutcome) -> None:
    async with context.pool.acquire() as connection, connection.transaction():
        await set_try(connection, replace(asked, outcome=outcome))


def _stop(context: WebContext, step: SetupStep, found: Try | None) -> UserError:
    github_url = found.github_url if found is not None else context.github_url
    organization = found.organization if found is not None else ""
    match step:
        case SetupStep.OTHER_BROWSER:
            return other_browser(github_url)
        case SetupStep.SET_UP_ELSEWHERE:
            return already_set_up(github_url)
        case SetupStep.REFUSED:
            return code_refused(github_url, organization)
        case SetupStep.NOT_USED | SetupStep.SHOW:
            return not_used(github_url, organization)
        case SetupStep.WAIT:
            return under_way()
        case SetupStep.NOT_ASKED | SetupStep.TRADE:
            return not_asked(github_url)
        case _:
            assert_never(step)
