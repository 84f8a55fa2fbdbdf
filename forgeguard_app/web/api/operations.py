"""Operations of the API: each checks who asks, how often and what, and serves the answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from forgeguard_app.errors import UserError
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.store.states import TokenScope
from forgeguard_app.web.api.rates import Rates
from forgeguard_app.web.clients import client_of
from forgeguard_app.web.page_rates import PAGE_RATES
from forgeguard_app.web.problems import problem
from forgeguard_app.web.session import find_person, refuse_foreign

MAX_BODY_BYTES = 64 << 10
MAX_VALUES = 20_000  # of a body: each is looked at while others wait
MOST_ERRORS = 1_000  # of which the first 50 are told
RATES: web.AppKey[Rates] = web.AppKey("RATES")
PERSON_RATES: web.AppKey[Rates] = web.AppKey("PERSON_RATES")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Strict(BaseModel):
    """A request body in which unknown names are refused."""

    model_config = ConfigDict(extra="forbid", str_max_length=10_000)


class ApiResponse(BaseModel):
    """A response of the API."""

    model_config = ConfigDict(extra="forbid")


class EditConflict(UserError):
    """Somebody else was faster; what was sent is to be brought together with what is there."""


class InvalidRequest(UserError):
    """An invalid request, with the places of its problems."""

    def __init__(self, message: str, places: list[tuple[str, str]]) -> None:
        super().__init__(message)
        self.places = places


class NoQuery(Strict):
    """Nothing is asked for in the query."""


@dataclass(frozen=True)
class ApiRequest:
    """One request that passed the door."""

    request: web.Request
    person: Person | None
    query: Any
    body: Any

    @property
    def user(self) -> Person:
        """Return the person who asks.

        Raises:
            HTTPUnauthorized: the request carries no valid token.
        """
        if self.person is None:
            raise web.HTTPUnauthorized(reason="Send a personal API token: `Authorization: Bearer fgp_…`.")
        return self.person


Handler = Callable[[ApiRequest], Awaitable[BaseModel | None]]


@dataclass(frozen=True)
class Operation:
    """One method on one path. `for_all` may be asked without a token, as far as the repository is public."""

    method: str
    path: str
    summary: str
    handler: Handler
    answer: type[BaseModel] | None
    query: type[Strict] = NoQuery
    body: type[Strict] | None = None
    status: int = 200
    for_all: bool = False
    conflicts: bool = False  # whether it may be refused since somebody else was faster
    most_bytes: int = MAX_BODY_BYTES
    stream: Callable[[ApiRequest], Awaitable[web.StreamResponse]] | None = None

    @property
    def finds(self) -> bool:
        """Return whether the query or the body names something that may not be there."""
        named = {*self.query.model_fields, *(self.body.model_fields if self.body else ())}
        return any(name.endswith("_id") for name in named)

    @property
    def writes(self) -> bool:
        """Return whether it changes something, which a token of scope `read` may not."""
        return self.method in _WRITES


def serve(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the operation as a handler."""

    async def handle(request: web.Request) -> web.StreamResponse:
        person = await find_person(request)
        limited = _limited(request, person, operation)
        if limited is not None:
            return problem(429, f"Too many requests; ask again in {limited} s.", retry_after_s=limited)
        if person is None and not operation.for_all:
            return problem(
                401, "Send a personal API token: `Authorization: Bearer fgp_…`.", headers={"WWW-Authenticate": "Bearer"}
            )
        if operation.writes and person is not None:
            if person.scope == TokenScope.READ:
                return problem(403, "This token may only read; make one of scope `write`.")
            if person.scope is None:
                refuse_foreign(request)
        try:
            query = operation.query.model_validate(_query_of(request))
            body = (
                None
                if operation.body is None
                else operation.body.model_validate(await _body_of(request, operation.most_bytes))
            )
        except ValidationError as error:
            return problem(400, "The request is not what this operation takes.", errors=_places(error))
        ask = ApiRequest(request, person, query, body)
        if operation.stream is not None and "text/event-stream" in request.headers.get("Accept", ""):
            return await operation.stream(ask)
        try:
            answer = await operation.handler(ask)
        except EditConflict as error:
            return problem(409, str(error))
        except InvalidRequest as error:
            return problem(
                400, str(error), errors=[{"place": place, "message": message} for place, message in error.places[:50]]
            )
        return _answered(request, operation, answer)

    return handle


def _limited(request: web.Request, person: Person | None, operation: Operation) -> int | None:
    """Return the seconds to wait: each token has its limit, a person twice that with all tokens, others by address.

    Changes count with those on pages too.
    """
    rates = request.app[RATES]
    if person is None:
        return rates.take(f"address {client_of(request)}")
    limited = rates.take(f"token {person.key}")
    limited = limited if limited is not None else request.app[PERSON_RATES].take(str(person.user_id))
    if limited is None and operation.writes:
        limited = request.app[PAGE_RATES].take_deed(person)
    return limited


def _query_of(request: web.Request) -> dict[str, str]:
    repeated = [name for name in request.query if len(request.query.getall(name)) > 1]
    if repeated:
        raise UserError(f"`{repeated[0]}` is given twice.")
    return dict(request.query)


async def _body_of(request: web.Request, most: int) -> Any:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(reason="Send JSON: `Content-Type: application/json`.")
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)
    data = bytearray()
    async for chunk in request.content.iter_chunked(1 << 14):
        data += chunk
        if len(data) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(data))
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise UserError("The body is not JSON.") from None
    if _has_more_values(body, MAX_VALUES):
        raise UserError(f"The body holds more than {MAX_VALUES:,} values; send fewer at once.")
    return body


def _has_more_values(body: Any, most: int) -> bool:
    """Return whether the body, its lists and objects hold more values than that."""
    waiting, number = [body], 0
    while waiting:
        value = waiting.pop()
        number += 1
        if number + len(waiting) > most:
            return True
        if isinstance(value, dict | list):
            if number + len(waiting) + len(value) > most:
                return True
            waiting.extend(value.values() if isinstance(value, dict) else value)
    return False


def _places(error: ValidationError) -> list[dict[str, str]]:
    if error.error_count() > MOST_ERRORS:
        return [{"place": "body", "message": f"{error.error_count():,} errors, too many to be listed"}]
    return [
        {"place": ".".join(str(part) for part in problem["loc"]) or "body", "message": problem["msg"]}
        for problem in error.errors(include_url=False, include_input=False)
    ][:50]


def _answered(request: web.Request, operation: Operation, answer: BaseModel | None) -> web.Response:
    if answer is None:
        return web.Response(status=204)
    text = answer.model_dump_json()
    headers = {"Cache-Control": "private, no-cache"}
    if not operation.writes:
        etag = f'"{sha256(text.encode()).hexdigest()[:24]}"'
        headers["ETag"] = etag
        if etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
    return web.Response(status=operation.status, text=text, content_type="application/json", headers=headers)
