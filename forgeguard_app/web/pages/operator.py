"""The operator's page: what the doctor says, what waits, the budgets, and deliveries that never arrived."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from forgeguard_app.errors import RetryLater
from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.upkeep.doctor import Diagnosis, examine_database, examine_github, list_missed
from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import Client, RequestRejected
from forgeguard_app.github.deliveries import Attempt, ask_again
from forgeguard_app.store.audit_log import list_entries
from forgeguard_app.store.health import list_budgets, list_oldest
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.storage import list_uses
from forgeguard_app.web.audit_log import EXPORTED, SHOWN, export, find_older, read_before
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form
from forgeguard_app.web.states import states_of

MOST = 20
MOST_USES = 40
GITHUB_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class _Examined:
    """Everything of the server that the doctor examines."""

    pool: Pool
    client: Client
    app: AppAccess
    address: str


async def show_operator(request: web.Request) -> web.Response:
    """Return the page."""
    context, before = await _for_operator(request), read_before(request)
    diagnoses = [diagnosis async for diagnosis in examine_database(context.pool)]
    missed: list[Attempt] = []
    examined = _examined(context)
    if examined is not None:
        try:
            async with asyncio.timeout(GITHUB_TIMEOUT_S):
                diagnoses += [diagnosis async for diagnosis in examine_github(examined)]
                missed = (await list_missed(examined)).missed
        except (TimeoutError, RetryLater, RequestRejected):
            diagnoses.append(Diagnosis("GitHub", False, "does not answer", "wait, or look at GitHub's status page"))
    async with context.pool.acquire() as connection:
        waiting = await list_oldest(connection, MOST)
        budgets = await list_budgets(connection, MOST)
        states = await states_of(connection, [head.run_id for head in waiting])
        deeds = await list_entries(connection, SHOWN + 1, before)
        uses = await list_uses(connection, MOST_USES)
    return await page(
        request,
        "operator.html",
        diagnoses=diagnoses,
        waiting=waiting,
        states=states,
        budgets=budgets,
        missed=missed[:MOST],
        deeds=deeds[:SHOWN],
        older=find_older(deeds, SHOWN),
        is_newest=before is None,
        uses=uses,
    )


async def export_audit_log(request: web.Request) -> web.Response:
    """Return who did what, as a file."""
    context, before = await _for_operator(request), read_before(request)
    async with context.pool.acquire() as connection:
        found = await list_entries(connection, EXPORTED + 1, before)
    return await export(request, found)


async def redeliver(request: web.Request) -> web.StreamResponse:
    """GitHub is asked for a delivery once more."""
    await read_form(request)
    context = await _for_operator(request)
    if context.app.access is None:
        raise web.HTTPNotFound
    try:
        await ask_again(context.app.access, int(request.match_info["attempt_id"]))
    except RequestRejected:
        raise web.HTTPNotFound(reason="GitHub has no such delivery any more.") from None
    return see_other("/operator")


async def _for_operator(request: web.Request) -> WebContext:
    """Return the context to an operator; everybody else gets 404, as if there were no such page."""
    context, person = request.app[CONTEXT], await get_person(request)
    if person.github_id not in context.operators:
        raise web.HTTPNotFound
    return context


def _examined(context: WebContext) -> _Examined | None:
    access = context.app.access
    return None if access is None else _Examined(context.pool, context.client, access, context.address)
