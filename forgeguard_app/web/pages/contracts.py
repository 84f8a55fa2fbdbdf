"""A project's contracts: written from the answers, read, edited, compared, downloaded, proposed to the repository."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from markupsafe import Markup

from forgeguard_app.errors import UserError
from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.flows.projects.save_contract import (
    Edit,
    InvalidContract,
    StaleVersion,
    save_contract,
    write_contracts,
)
from forgeguard_app.flows.proposals.export_contracts import request_export
from forgeguard_app.projects.contract_types import FILES, ContractType, path_of
from forgeguard_app.projects.contracts.words import distribution_of
from forgeguard_app.store.contracts import Contract, find_contract, find_version, list_contracts, list_versions
from forgeguard_app.web.access import SeenProject, id_of, open_project
from forgeguard_app.web.aside import checked, checker, difference, drafter, rendered
from forgeguard_app.web.in_turn import in_turn
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.pages.projects import project_page
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form

MAX_FORM_BYTES = 1_000_000  # a contract of the greatest length, as a form encodes it
MAX_SHOWN_LINES = 4_000  # of a contract, or of the differences of a page
MOST_COMPARED = 6_000  # lines; comparing takes the square of it at its worst


def contract_type(request: web.Request) -> ContractType:
    """Return the type that the address names.

    Raises:
        HTTPNotFound: the address names no type of contract.
    """
    try:
        return ContractType(request.match_info["contract_type"])
    except ValueError:
        raise web.HTTPNotFound from None


async def write(request: web.Request) -> web.StreamResponse:
    """Write them from the answers: those that are chosen, or all that nobody edited."""
    form = await read_form(request)
    view = await open_project(request, id_of(request, "project_id"), AccessLevel.WRITE)
    chosen = [kind for kind in ContractType if kind in form.getall("type", [])]
    try:
        wanted = chosen if "chosen" in form else None
        await write_contracts(
            request.app[CONTEXT].pool,
            view.project.id,
            wanted,
            may_decide=view.may_decide,
            decided_for=view.project.repo_id,
            drafter=drafter(request),
        )
    except UserError as error:
        return await project_page(request, view, error)
    return see_other(f"/projects/{view.project.id}#contracts")


async def show_contract(request: web.Request) -> web.Response:
    """Return the text as it reads, the editor, and its versions."""
    view = await open_project(request, id_of(request, "project_id"))
    contract = await _contract(request, view)
    return await _page(request, view, contract, contract.content)


async def save(request: web.Request) -> web.StreamResponse:
    """Return a new version; or, with the other button, what it would look like."""
    form, person = await read_form(request, MAX_FORM_BYTES), await get_person(request)
    view, kind = await open_project(request, id_of(request, "project_id"), AccessLevel.WRITE), contract_type(request)
    content, version = form.get("content", "").replace("\r\n", "\n"), form.get("version", "")
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 9 else 0
    contract = await _contract(request, view)
    if "preview" in form:
        return await _page(
            request, view, contract, content, version=number, problems=await checker(request)(kind, content), draft=True
        )
    try:
        edit = Edit(kind, content, number)
        await save_contract(
            request.app[CONTEXT].pool, person, view.project.id, await checked(request, edit), may_decide=view.may_decide
        )
    except InvalidContract as error:
        return await _page(
            request, view, contract, content, version=number, problems=error.problems, draft=True, status=400
        )
    except StaleVersion as error:
        newest = error.newest
        changed = await _difference(request, content, newest.content)
        return await _page(
            request,
            view,
            newest,
            content,
            version=newest.version,
            stale=str(error),
            changed=changed,
            draft=True,
            status=409,
        )
    except UserError as error:
        return await _page(request, view, contract, content, version=number, refused=str(error), draft=True, status=400)
    return see_other(f"/projects/{view.project.id}/contracts/{kind}")


async def show_difference(request: web.Request) -> web.Response:
    """Between a version and the one before, or another."""
    view = await open_project(request, id_of(request, "project_id"))
    contract = await _contract(request, view)
    asked = [request.query.get(name, "") for name in ("from", "to")]
    if not all(number.isascii() and number.isdigit() and len(number) < 9 for number in asked):
        raise web.HTTPNotFound
    async with request.app[CONTEXT].pool.acquire() as connection:
        old, new = [await find_version(connection, contract.id, int(number)) for number in asked]
    if old is None or new is None:
        raise web.HTTPNotFound(reason="This version is not kept any more.")
    return await page(
        request,
        "difference.html",
        project=view.project,
        contract=contract,
        asked=asked,
        lines=await _difference(request, old, new),
    )


async def download(request: web.Request) -> web.Response:
    """Serve all contracts as a zip."""
    view = await open_project(request, id_of(request, "project_id"))
    async with request.app[CONTEXT].pool.acquire() as connection:
        contracts = await list_contracts(connection, view.project.id)
    if not contracts:
        raise UserError("There are no contracts yet.")
    body = await in_turn(request, _zip_of, contracts)
    name = f"{distribution_of(view.project.name)}-contracts.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return web.Response(body=body, content_type="application/zip", headers=headers)


def _zip_of(contracts: Collection[Contract]) -> bytes:
    """Return the contracts as a zip.

    They are stored, not deflated: that takes a second of a processor for ten of the longest, for each who asks.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for contract in sorted(contracts, key=lambda item: item.contract_type):
            archive.writestr(path_of(ContractType(contract.contract_type)), contract.content)
    return out.getvalue()


async def export(request: web.Request) -> web.StreamResponse:
    """They become a pull request of the linked repository."""
    await read_form(request)
    person, view = (
        await get_person(request),
        await open_project(request, id_of(request, "project_id"), AccessLevel.WRITE),
    )
    try:
        trial_id = await request_export(request.app[CONTEXT].pool, person, view.project)
    except UserError as error:
        return await project_page(request, view, error)
    return see_other(f"/repos/{view.project.repo_name}/trials/{trial_id}")


async def _contract(request: web.Request, project: SeenProject) -> Contract:
    async with request.app[CONTEXT].pool.acquire() as connection:
        contract = await find_contract(connection, project.project.id, contract_type(request))
    if contract is None:
        raise web.HTTPNotFound(reason="This contract is not written yet.")
    return contract


async def _page(
    request: web.Request, project: SeenProject, contract: Contract, content: str, *, status: int = 200, **more: Any
) -> web.Response:
    async with request.app[CONTEXT].pool.acquire() as connection:
        versions = await list_versions(connection, contract.id)
    kind = ContractType(contract.contract_type)
    shown, left = first_lines(content)
    return await page(
        request,
        "contract.html",
        status=status,
        project=project.project,
        may_write=project.may_write,
        contract=contract,
        kind=kind,
        file=FILES[kind],
        content=content,
        shown=shown,
        left=left,
        shown_lines=MAX_SHOWN_LINES,
        rendered=await _rendered(request, kind, shown),
        versions=versions,
        **(
            {"problems": (), "draft": False, "stale": "", "refused": "", "changed": (), "version": contract.version}
            | more
        ),
    )


async def _rendered(request: web.Request, kind: ContractType, content: str) -> Markup | None:
    """Return the text as a rendered document; None for machine-readable text, and for what takes too long to render."""
    if not FILES[kind].endswith(".md"):
        return None
    return await rendered(request, content)


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """A line of a comparison: `kind` is added, removed, same or place."""

    kind: str
    text: str


_KINDS = {"+": "added", "-": "removed", "@": "place"}


async def _difference(request: web.Request, old: str, new: str) -> list[DifferenceLine]:
    before, after = old.splitlines(), new.splitlines()
    if len(before) + len(after) > MOST_COMPARED:
        return [DifferenceLine("place", f"Too long to be compared: {len(before)} and {len(after)} lines.")]
    found = await difference(request, old, new)
    if found is None:
        return [DifferenceLine("place", "It takes too long to compare these versions.")]
    return list(map(_line, found))


def lines_of(difference: str, most: int) -> tuple[list[DifferenceLine], int]:
    """Return the first `most` lines of a difference with what each of them is, and how many lines are left out."""
    shown, left = first_lines(difference, most)
    return list(map(_line, shown.split("\n"))) if most > 0 else [], left


def first_lines(text: str, most: int = MAX_SHOWN_LINES) -> tuple[str, int]:
    """Return the first `most` lines of a text, and how many lines are left out."""
    left = max(text.count("\n") + 1 - most, 0)
    return ("\n".join(text.split("\n", most)[:most]) if left else text), left


def _line(text: str) -> DifferenceLine:
    return DifferenceLine(_KINDS.get(text[:1], "same"), text)
