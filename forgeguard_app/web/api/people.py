"""Operations on the one who asks: who they are, their tokens, their installations."""

from __future__ import annotations

from dataclasses import asdict
from uuid import UUID

from aiohttp import web

from forgeguard_app.flows.people.api_tokens import make_token
from forgeguard_app.flows.people.repo_access import refresh_access
from forgeguard_app.store.overview import list_seen_installations
from forgeguard_app.store.sessions import delete_token, list_tokens
from forgeguard_app.web.access import id_of
from forgeguard_app.web.api import models
from forgeguard_app.web.api.operations import ApiRequest
from forgeguard_app.web.cursors import read_text_cursor, text_cursor
from forgeguard_app.web.keys import CONTEXT


async def show_me(ask: ApiRequest) -> models.Me:
    """Return the person of the token."""
    user = ask.user
    fields = {
        "id": user.user_id,
        "github_id": user.github_id,
        "github_login": user.login,
        "scope": user.scope or "write",
    }
    return models.Me.model_validate(fields)


async def show_installations(ask: ApiRequest) -> models.Installations:
    """Return the accounts on which the App is installed, as far as the one who asks sees a repository there."""
    context, query = ask.request.app[CONTEXT], ask.query
    await refresh_access(context, ask.user.user_id)
    async with context.pool.acquire() as connection:
        after = read_text_cursor(query.cursor)
        found = await list_seen_installations(connection, ask.user.user_id, after, query.limit + 1)
    items = [models.Installation(**asdict(installation)) for installation in found[: query.limit]]
    following = text_cursor(items[-1].account_login) if len(found) > query.limit else None
    return models.Installations(items=items, next=following)


async def show_tokens(ask: ApiRequest) -> models.Tokens:
    """One's own tokens, without their values."""
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        found = await list_tokens(connection, ask.user.user_id)
    return models.Tokens(items=[models.Token.model_validate(asdict(token)) for token in found])


async def add_token(ask: ApiRequest) -> models.Token:
    """Return a new token: `value` is in this answer alone. A token makes none, since the new one would outlive it."""
    if ask.user.scope is not None:
        raise web.HTTPForbidden(reason="A token makes no other token: make it on your account page, signed in.")
    wanted: models.NewToken = ask.body
    made = await make_token(ask.request.app[CONTEXT].pool, ask.user.user_id, wanted.name, wanted.scope, wanted.days)
    return models.Token.model_validate(asdict(made.token) | {"value": made.value})


async def remove_token(ask: ApiRequest) -> None:
    """Delete the token."""
    token_id: UUID = id_of(ask.request, "token_id")
    async with ask.request.app[CONTEXT].pool.acquire() as connection:
        if not await delete_token(connection, ask.user.user_id, token_id):
            raise web.HTTPNotFound(reason="You have no such token.")
