"""Request bodies: the fields that each operation takes, and their form, as GitHub's published schemas have them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from forgeguard_app.simulator.rules import Denied, RefusalRule

MAX_TEXT_BYTES = 65_535
MAX_MESSAGE_BYTES = 64 << 10
MAX_TITLE_CHARS = 255
MAX_ANNOTATIONS = 50
MAX_ACTIONS = 3
MAX_REPOSITORIES = 500
CONCLUSIONS = ("action_required", "cancelled", "failure", "neutral", "skipped", "success", "timed_out")
STATUSES = ("queued", "in_progress", "completed")
LEVELS = ("notice", "warning", "failure")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})\Z")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_ARTICLE = {str: "a string", int: "an integer", bool: "a boolean", dict: "an object", list: "an array"}


@dataclass(frozen=True)
class Shape:
    """The required form of a value. `most` bounds the items of a list or the characters of a text."""

    kind: type = str
    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    any_field: Shape | None = None  # of an object whose keys are free
    items: Shape | None = None
    most: int | None = None
    most_bytes: int | None = None
    least: int | None = None
    among: tuple[str, ...] = ()
    form: re.Pattern[str] | None = None
    form_name: str = ""
    nullable: bool = False


def check(value: Any, shape: Shape, place: str = "") -> None:
    """Hold a value against its shape.

    Raises:
        Denied: it does not fit; the first problem is named.
    """
    if value is None and shape.nullable:
        return
    if not isinstance(value, shape.kind) or (shape.kind is int and isinstance(value, bool)):
        raise Denied(RefusalRule.WRONG_TYPE, field=place, given=_shown(value), wanted=_ARTICLE[shape.kind])
    if isinstance(value, dict):
        _check_object(value, shape, place)
    elif isinstance(value, list):
        _check_list(value, shape, place)
    elif isinstance(value, str):
        _check_text(value, shape, place)
    elif isinstance(value, int) and shape.least is not None and value < shape.least:
        raise Denied(RefusalRule.TOO_SMALL, field=place, given=_shown(value), wanted=shape.least)


def _check_object(value: dict[str, Any], shape: Shape, place: str) -> None:
    for name in sorted(shape.required - value.keys()):
        raise Denied(RefusalRule.NOT_SUPPLIED, field=name)
    for name, inner in value.items():
        known = shape.fields.get(name, shape.any_field)
        if known is None:
            raise Denied(RefusalRule.NOT_PERMITTED, field=name)
        check(inner, known, f"{place}/{name}" if place else name)


def _check_list(value: list[Any], shape: Shape, place: str) -> None:
    if shape.most is not None and len(value) > shape.most:
        raise Denied(RefusalRule.TOO_MANY, most=shape.most, number=len(value))
    for number, inner in enumerate(value):
        check(inner, shape.items or Shape(), f"{place}/{number}")


def _check_text(value: str, shape: Shape, place: str) -> None:
    number = len(value.encode("utf-8", "surrogatepass"))
    if shape.most_bytes is not None and number > shape.most_bytes:
        raise Denied(RefusalRule.TOO_LONG, most=shape.most_bytes, number=number)
    if shape.most is not None and len(value) > shape.most:
        raise Denied(RefusalRule.TOO_LONG, most=shape.most, number=len(value))
    if shape.among and value not in shape.among:
        raise Denied(RefusalRule.NOT_A_MEMBER, field=place, given=_shown(value), wanted=json.dumps(shape.among))
    if shape.least is not None and len(value) < shape.least:
        raise Denied(
            RefusalRule.WRONG_FORM, field=place, given=_shown(value), wanted=f"at least {shape.least} characters"
        )
    if shape.form is not None and not shape.form.match(value):
        raise Denied(RefusalRule.WRONG_FORM, field=place, given=_shown(value), wanted=shape.form_name)


def _shown(value: Any) -> str:
    return "nil" if value is None else json.dumps(value)[:100]


async def read_body(request: web.Request) -> dict[str, Any]:
    """Return the request's JSON object.

    Raises:
        Denied: it is of another media type, not JSON or no object.
    """
    try:
        data = await request.read()
    except ConnectionError:  # the client may be gone
        raise Denied(RefusalRule.NOT_JSON) from None
    if data and request.content_type != "application/json":
        raise Denied(RefusalRule.WRONG_CONTENT_TYPE)
    try:
        body = json.loads(data or b"{}")
    except ValueError:
        raise Denied(RefusalRule.NOT_JSON) from None
    if not isinstance(body, dict):
        raise Denied(RefusalRule.NOT_AN_OBJECT)
    return body


async def checked_body(request: web.Request, shape: Shape) -> dict[str, Any]:
    """Return the request's JSON object, which fits the shape.

    Raises:
        Denied: as `read_body` and `check`.
    """
    body = await read_body(request)
    check(body, shape)
    return body


def _object(required: str = "", /, **fields: Shape) -> Shape:
    return Shape(dict, fields=fields, required=frozenset(required.split()))


_TEXT, _INTEGER, _LINE = Shape(), Shape(int), Shape(int, least=1)
_AT = Shape(form=_TIME, form_name="a time in ISO 8601")
_COMMIT = Shape(form=_SHA, form_name="a commit id")
_NAME = Shape(most=MAX_TITLE_CHARS, least=1)
_ANNOTATION = _object(
    "path start_line end_line annotation_level message",
    path=Shape(least=1), start_line=_LINE, end_line=_LINE, start_column=_LINE, end_column=_LINE, annotation_level=Shape(among=LEVELS),
    message=Shape(least=1, most_bytes=MAX_MESSAGE_BYTES), title=Shape(most=MAX_TITLE_CHARS), raw_details=Shape(most_bytes=MAX_MESSAGE_BYTES),
)  # fmt: skip
_IMAGE = _object("alt image_url", alt=_TEXT, image_url=_TEXT, caption=_TEXT)
_OUTPUT = _object(
    "title summary",
    title=_NAME, summary=Shape(most_bytes=MAX_TEXT_BYTES), text=Shape(most_bytes=MAX_TEXT_BYTES),
    annotations=Shape(list, items=_ANNOTATION, most=MAX_ANNOTATIONS), images=Shape(list, items=_IMAGE),
)  # fmt: skip
_ACTION = _object(
    "label description identifier", label=Shape(most=20), description=Shape(most=40), identifier=Shape(most=20)
)
_RUN = {
    "name": _NAME, "details_url": _TEXT, "external_id": _TEXT, "status": Shape(among=STATUSES), "started_at": _AT,
    "conclusion": Shape(among=CONCLUSIONS), "completed_at": _AT, "output": _OUTPUT,
    "actions": Shape(list, items=_ACTION, most=MAX_ACTIONS),
}  # fmt: skip
CREATE_CHECK_RUN = _object("name head_sha", head_sha=_COMMIT, **_RUN)
UPDATE_CHECK_RUN = _object(**_RUN)
CREATE_TOKEN = _object(
    repositories=Shape(list, items=_TEXT, most=MAX_REPOSITORIES),
    repository_ids=Shape(list, items=_INTEGER, most=MAX_REPOSITORIES),
    permissions=Shape(dict, any_field=Shape(among=("read", "write", "admin"))),
)
CREATE_PULL = _object(
    "title head base",
    title=Shape(least=1, most=256), head=_TEXT, base=_TEXT, body=Shape(most=65_536, nullable=True), head_repo=_TEXT, draft=Shape(bool),
    maintainer_can_modify=Shape(bool), issue=_INTEGER,
)  # fmt: skip
CREATE_REF = _object("ref sha", ref=_TEXT, sha=_COMMIT)
_PERSON = _object("name email", name=_TEXT, email=_TEXT, date=_AT)
PUT_FILE = _object(
    "message content",
    message=_TEXT, content=_TEXT, sha=_COMMIT, branch=_TEXT, committer=_PERSON, author=_PERSON,
)  # fmt: skip
NOTHING = _object()
