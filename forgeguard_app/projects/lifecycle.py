"""A project's states and the moves between them: each allowed or refused in one table."""

from __future__ import annotations

from enum import StrEnum

from forgeguard_app.errors import UserError


class Status(StrEnum):
    """The status of a project; the names are those of the database."""

    DRAFT = "draft"
    QUESTIONNAIRE = "questionnaire"
    CONTRACTS_READY = "contracts_ready"
    BUILDING = "building"
    COMPLETED = "completed"


class Action(StrEnum):
    """An action of a person, or of a build, on a project."""

    RENAME = "rename"
    LINK = "link"
    ANSWER = "answer"
    WRITE_CONTRACTS = "write contracts"
    EDIT_CONTRACT = "edit a contract"
    START_BUILD = "start a build"
    FINISH_BUILD = "finish the build"
    STOP_BUILD = "stop the build"
    DELETE = "delete"


_D, _Q, _R, _B, _C = Status
_BUILDING = "A build is working by these contracts: cancel it first, or wait for its end."
_NO_CONTRACTS = "There are no contracts yet: answer the questionnaire and write them first."
_NO_BUILD = "No build is under way."

# What each move makes of each state; a sentence where it is refused.
TABLE: dict[Action, dict[Status, Status | str]] = {
    Action.RENAME: {_D: _D, _Q: _Q, _R: _R, _B: _B, _C: _C},
    Action.LINK: {_D: _D, _Q: _Q, _R: _R, _B: _BUILDING, _C: _C},
    Action.ANSWER: {_D: _Q, _Q: _Q, _R: _R, _B: _BUILDING, _C: _C},
    Action.WRITE_CONTRACTS: {_D: "Answer the questionnaire first.", _Q: _R, _R: _R, _B: _BUILDING, _C: _R},
    Action.EDIT_CONTRACT: {_D: _NO_CONTRACTS, _Q: _NO_CONTRACTS, _R: _R, _B: _BUILDING, _C: _R},
    Action.START_BUILD: {_D: _NO_CONTRACTS, _Q: _NO_CONTRACTS, _R: _B, _B: "A build is under way already.", _C: _B},
    Action.FINISH_BUILD: {_D: _NO_BUILD, _Q: _NO_BUILD, _R: _NO_BUILD, _B: _C, _C: _NO_BUILD},
    Action.STOP_BUILD: {_D: _NO_BUILD, _Q: _NO_BUILD, _R: _NO_BUILD, _B: _R, _C: _NO_BUILD},
    Action.DELETE: {_D: _D, _Q: _Q, _R: _R, _B: _BUILDING, _C: _C},
}


def next_status(status: Status, move: Action) -> Status:
    """Return the state after the move.

    Raises:
        UserError: it is refused, with the reason.
    """
    found = TABLE[move][status]
    if isinstance(found, Status):
        return found
    raise UserError(found)


def refusal(status: Status, move: Action) -> str | None:
    """Why the move is refused; None where it is allowed."""
    found = TABLE[move][status]
    return None if isinstance(found, Status) else found
