"""A form whose session ended is kept over the sign-in: for the same person, in the same browser, for an hour."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.flows.context.web_context import WebContext
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.store.kept_forms import delete_kept_form, find_kept_form, insert_kept_form
from forgeguard_app.vault import digest

Fields = Sequence[tuple[str, str]]


class FormOfAnotherPerson(Exception):
    """Somebody else wrote the form; `login` is who."""

    def __init__(self, login: str) -> None:
        super().__init__("somebody else's form")
        self.login = login


@dataclass(frozen=True, slots=True)
class OpenedForm:
    """A form as it was sent."""

    id: UUID
    path: str
    fields: Fields


async def keep_form(context: WebContext, user_id: UUID, browser: str, path: str, fields: Fields) -> UUID | None:
    """Keep a form that we rendered for the person; return its id, None where the person is gone."""
    content = context.keys.forms_kept.seal(json.dumps(list(fields), ensure_ascii=False))
    async with context.pool.acquire() as connection, connection.transaction():
        return await insert_kept_form(connection, user_id, digest(browser), path, content)


async def open_form(context: WebContext, person: Person, browser: str, form_id: UUID) -> OpenedForm | None:
    """Return the kept form of this person and this browser; None where it is kept no more.

    Raises:
        FormOfAnotherPerson: another person wrote it.
    """
    async with context.pool.acquire() as connection:
        found = await find_kept_form(connection, form_id, digest(browser)) if browser else None
    content = None if found is None else context.keys.forms_kept.open(found.content)
    if found is None or content is None:
        return None
    if found.user_id != person.user_id:
        raise FormOfAnotherPerson(found.github_login)
    return OpenedForm(found.id, found.path, [(name, value) for name, value in json.loads(content)])


async def drop_form(context: WebContext, person: Person, form_id: UUID) -> None:
    """Delete a kept form that was sent again or is not wanted."""
    async with context.pool.acquire() as connection:
        await delete_kept_form(connection, form_id, person.user_id)
