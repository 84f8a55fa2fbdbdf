"""Allowing a finding on its page, and the list of what is allowed in a repository."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime

from aiohttp import web

from forgeguard_app.errors import UserError
from forgeguard_app.flows.audits.allow_finding import (
    AllowanceRequest,
    allow_finding,
    restore_allowance,
    revoke_allowance,
)
from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.store.allowances import Allowance, find_allowance, list_allowances
from forgeguard_app.web.access import RepoView, id_of, open_audit, open_named
from forgeguard_app.web.in_turn import in_turn
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.pages.audits import RefusedForm, audit_page
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form

FIELDS = ("check_code", "rule", "path", "reason", "github_login", "created_at", "expires_at", "ended_at", "fingerprint")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def allow(request: web.Request) -> web.StreamResponse:
    """Let the finding count no more."""
    form, person = await read_form(request), await get_person(request)
    run, view = await open_audit(request, id_of(request, "run_id"), AccessLevel.WRITE)
    days = form.get("days", "")
    number = int(days) if days.isascii() and days.isdigit() and len(days) < 6 else None if not days else 0
    wish = AllowanceRequest(
        form.get("check_code", ""), form.get("fingerprint", "")[:100], form.get("reason", ""), number
    )
    try:
        await allow_finding(request.app[CONTEXT].pool, person, run, wish)
    except UserError as error:
        return await audit_page(request, RefusedForm(error, form))
    return see_other(f"/repos/{view.repo.full_name}/allowances")


async def show_allowances(request: web.Request) -> web.Response:
    """Return the list, for those whom GitHub lets into the repository."""
    view = await open_named(request, AccessLevel.READ)
    async with request.app[CONTEXT].pool.acquire() as connection:
        found = await list_allowances(connection, view.repo.id, most=500)
    now = datetime.now(UTC)
    in_force = {(allowance.check_code, allowance.fingerprint) for allowance in found if allowance.ended_at is None}
    restorable = {
        allowance.id
        for allowance in found
        if allowance.is_restorable(now) and (allowance.check_code, allowance.fingerprint) not in in_force
    }
    return await page(
        request, "allowances.html", repo=view.repo, may_write=view.may_write, allowances=found, restorable=restorable
    )


async def export_allowances(request: web.Request) -> web.Response:
    """Return the same as CSV or JSON, to keep."""
    view = await open_named(request, AccessLevel.READ)
    async with request.app[CONTEXT].pool.acquire() as connection:
        found = await list_allowances(connection, view.repo.id)
    form = request.match_info["form"]
    write, kind = (_csv, "text/csv") if form == "csv" else (_json, "application/json")
    text = await in_turn(request, write, found)
    name = f"{view.repo.full_name.replace('/', '-')}-allowances.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)


async def end(request: web.Request) -> web.StreamResponse:
    """Let the finding count again."""
    await read_form(request)
    view, allowance = await _opened(request)
    await revoke_allowance(request.app[CONTEXT].pool, await get_person(request), allowance)
    return see_other(f"/repos/{view.repo.full_name}/allowances")


async def restore(request: web.Request) -> web.StreamResponse:
    """Put an ended allowance into force again."""
    await read_form(request)
    view, allowance = await _opened(request)
    await restore_allowance(request.app[CONTEXT].pool, await get_person(request), allowance)
    return see_other(f"/repos/{view.repo.full_name}/allowances")


async def _opened(request: web.Request) -> tuple[RepoView, Allowance]:
    view = await open_named(request, AccessLevel.WRITE)
    async with request.app[CONTEXT].pool.acquire() as connection:
        allowance = await find_allowance(connection, id_of(request, "allowance_id"))
    if allowance is None or allowance.repo_id != view.repo.id:
        raise web.HTTPNotFound
    return view, allowance


def _rows(found: Iterable[Allowance]) -> list[dict[str, str | None]]:
    rows = ({name: getattr(allowance, name) for name in FIELDS} for allowance in found)
    return [
        {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
        for row in rows
    ]


def _json(found: Iterable[Allowance]) -> str:
    return json.dumps(_rows(found), ensure_ascii=False, indent=2)


def _csv(found: Iterable[Allowance]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS)
    writer.writeheader()
    for row in _rows(found):
        # A spreadsheet must not take a stranger's file name for a formula.
        writer.writerow(
            {name: f"'{value}" if value and value.startswith(_FORMULA) else value for name, value in row.items()}
        )
    return out.getvalue()
