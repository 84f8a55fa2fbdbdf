"""Records deeds in the audit log: one name for each route that changes something, and every denial."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from aiohttp import web

from forgeguard_app.flows.people.record_deed import record_deed, subject_of
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.store.audit_log import FIELDS, AuditLogEntry, KeptEntry
from forgeguard_app.web.cursors import cursor_of, read_cursor
from forgeguard_app.web.in_turn import in_turn
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.session import PERSON

SHOWN, EXPORTED = 50, 10_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_REPO, _PROJECT, _API = "/repos/{owner}/{name}", "/projects/{project_id}", "/api/v1"
DEEDS: dict[str, str] = {
    "GET /login/callback": "sign-in",
    "POST /logout": "sign-out",
    "POST /logout/everywhere": "sign-out everywhere",
    "POST /account/sessions/{session_id}/delete": "sign-out of a browser",
    "POST /setup": "set-up begun",
    "GET /setup/callback": "set-up",
    "POST /account/tokens": "token made",
    "POST /account/tokens/{token_id}/delete": "token deleted",
    f"POST {_API}/tokens": "token made",
    f"DELETE {_API}/tokens/{{token_id}}": "token deleted",
    "POST /audits/{run_id}/allow": "finding allowed",
    f"POST {_REPO}/allowances/{{allowance_id}}/end": "allowance ended",
    f"POST {_REPO}/allowances/{{allowance_id}}/restore": "allowance restored",
    f"POST {_API}/allowances": "finding allowed",
    f"DELETE {_API}/allowances/{{allowance_id}}": "allowance ended",
    f"POST {_REPO}/configuration/try": "configuration tried",
    f"POST {_REPO}/configuration/propose": "rules proposed",
    "POST /audits/{run_id}/rerun": "re-run",
    f"POST {_API}/audits/{{run_id}}/rerun": "re-run",
    "POST /projects": "project made",
    f"POST {_API}/projects": "project made",
    f"POST {_PROJECT}/rename": "project renamed",
    f"POST {_PROJECT}/link": "project linked",
    f"PATCH {_API}{_PROJECT}": "project changed",
    f"POST {_PROJECT}/delete": "project deleted",
    f"DELETE {_API}{_PROJECT}": "project deleted",
    f"POST {_PROJECT}/restore": "project restored",
    f"POST {_PROJECT}/questionnaire/{{section}}": "questions answered",
    f"PUT {_API}{_PROJECT}/questionnaire": "questions answered",
    f"POST {_PROJECT}/contracts": "contracts written",
    f"POST {_API}{_PROJECT}/contracts": "contracts written",
    f"POST {_PROJECT}/contracts/export": "contracts proposed",
    f"POST {_PROJECT}/contracts/{{contract_type}}": "contract edited",
    f"PUT {_API}{_PROJECT}/contracts/{{contract_type}}": "contract edited",
    f"POST {_PROJECT}/builds": "build started",
    f"POST {_API}{_PROJECT}/builds": "build started",
    "POST /builds/{build_id}/cancel": "build cancelled",
    f"POST {_API}/builds/{{build_id}}/cancel": "build cancelled",
    "POST /builds/{build_id}/approve": "build changes approved",
    f"POST {_API}/builds/{{build_id}}/approve": "build changes approved",
    "POST /builds/{build_id}/hand-back": "build changes handed back",
    f"POST {_API}/builds/{{build_id}}/hand-back": "build changes handed back",
    "POST /operator/deliveries/{attempt_id}": "redelivery",
}
# Deliveries are GitHub's own log; a kept form that is dropped changed nothing.
UNNOTED = frozenset(("POST /webhooks/github", "POST /continue/{form_id}/drop"))
_BY_LINK = frozenset(("set-up begun", "set-up"))
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ARRIVED: web.RequestKey[Person] = web.RequestKey("ARRIVED")  # who just signed in


@web.middleware
async def noted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note what a person did, or was not allowed to do."""
    response = await handler(request)
    entry = _entry(request, response.status)
    if entry is not None:
        await record_deed(request.app[CONTEXT].pool, entry)
    return response


def _entry(request: web.Request, status: int) -> AuditLogEntry | None:
    """Return what is to be noted of an answered request; None for what changed nothing and was denied to nobody.

    Strangers who were denied something are not noted: they could fill the log.
    """
    resource = request.match_info.route.resource
    deed = DEEDS.get(f"{request.method} {resource.canonical}") if resource is not None else None
    person = request.get(ARRIVED) or request.get(PERSON)
    if person is None and deed not in _BY_LINK:
        return None
    denied = status == HTTPStatus.FORBIDDEN or (deed is not None and status in _DENIED)
    if not denied and (deed is None or status >= HTTPStatus.BAD_REQUEST):
        return None
    if person is None and denied:
        return None
    via = "link" if person is None else "browser" if person.scope is None else "token"
    names = {key: UUID(value) for key, value in request.match_info.items() if _is_key(value)}
    owner, name = request.match_info.get("owner"), request.match_info.get("name")
    return AuditLogEntry(
        deed or "page",
        "denied" if denied else "done",
        person.github_id if person else None,
        person.login if person else None,
        via,
        subject_of(request.path),
        names,
        f"{owner}/{name}" if owner else None,
    )


def _is_key(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def read_before(request: web.Request) -> tuple[datetime, UUID] | None:
    """Return the entry behind which the asked part begins; None for the newest part.

    Raises:
        HTTPBadRequest: it is no place of ours.
    """
    return read_cursor(request.query.get("before"))


def find_older(found: Sequence[KeptEntry], most: int) -> str | None:
    """Return the place of the part that follows the first `most` entries; None where all were found."""
    return cursor_of(found[most - 1].at, found[most - 1].id) if len(found) > most else None


async def export(request: web.Request, found: Sequence[KeptEntry]) -> web.Response:
    """Return the first `EXPORTED` entries as a file; where more were found, it ends with the address of the rest."""
    form, place = request.match_info["form"], find_older(found, EXPORTED)
    older = f"{request.app[CONTEXT].address}{request.path}?before={place}" if place else None
    headers = {"Content-Disposition": f'attachment; filename="audit-log.{form}"', "Cache-Control": "private, no-store"}
    if older:
        headers["Link"] = f'<{older}>; rel="next"'
    write, kind = (_csv, "text/csv") if form == "csv" else (_json, "application/json")
    text = await in_turn(request, lambda: write(_rows(found), older))
    return web.Response(text=text, content_type=kind, charset="utf-8", headers=headers)


def _rows(found: Sequence[KeptEntry]) -> list[dict[str, str]]:
    return [{name: _text(getattr(entry, name)) for name in FIELDS} for entry in found[:EXPORTED]]


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)


def _json(rows: Sequence[dict[str, str]], older: str | None) -> str:
    return json.dumps([*rows, {"next": older}] if older else rows, ensure_ascii=False)


def _csv(rows: Sequence[dict[str, str]], older: str | None) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, FIELDS)
    writer.writeheader()
    # A spreadsheet must not take a stranger's name for a formula.
    writer.writerows(
        {key: f"'{text}" if text.startswith(_FORMULA) else text for key, text in row.items()} for row in rows
    )
    if older:
        csv.writer(out).writerow([f"Older entries: {older}"])
    return out.getvalue()
