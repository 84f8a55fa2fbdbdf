"""Somebody answers the questionnaire: each answer is kept at once, and it is said which contracts it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from uuid import UUID

from forgeguard_app.errors import UserError
from forgeguard_app.flows.projects.manage_project import apply_action
from forgeguard_app.projects.answers import Answers, answered, read_answer, read_state, written_state
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.projects.layer_names import layer_problems
from forgeguard_app.projects.lifecycle import Action
from forgeguard_app.projects.marks import Saving, Writer, decide, marked
from forgeguard_app.projects.proposals import SeenCode
from forgeguard_app.projects.questions import QUESTIONS
from forgeguard_app.store.contracts import list_contracts
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.projects import set_questionnaire
from forgeguard_app.store.repos import find_configuration

NO_BASES: Mapping[str, str] = MappingProxyType({})
NOBODY = Writer()
MAX_BYTES = 1 << 20  # of all answers of a project: each request about it reads them


@dataclass(frozen=True, slots=True)
class Answered:
    """The outcome of saved answers.

    `problems` are what is wrong, by question.
    `conflicts` are the questions that somebody else answered meanwhile.
    `already` are those of which a later answer of the same page was here before.
    `changes` are the contracts that exist and would say something else now.
    """

    answers: Answers
    problems: Mapping[str, list[str]]
    changes: tuple[ContractType, ...]
    conflicts: tuple[str, ...] = ()
    already: tuple[str, ...] = ()


async def answer_questionnaire(
    pool: Pool,
    project_id: UUID,
    given: Mapping[str, Any],
    bases: Mapping[str, str] = NO_BASES,
    writer: Writer = NOBODY,
) -> Answered:
    """Keep every answer that is in its question's form; the others are told, and change nothing.

    `bases` are the digests of the answers that the writer began from.

    Raises:
        UserError: a build works by what was answered, or all answers together are too long.
    """
    outcomes: dict[str, Saving] = {}
    problems: dict[str, list[str]] = {key: ["There is no such question."] for key in given if key not in QUESTIONS}
    async with pool.acquire() as connection, connection.transaction():
        project = await apply_action(connection, project_id, Action.ANSWER)
        before = answers = read_state(project.questionnaire_state)
        for key, question in QUESTIONS.items():
            if key in given:
                value, wrong = read_answer(question, given[key])
                wrong = wrong or layer_problems(question, value)
                if wrong:
                    problems[key] = wrong
                    continue
                mark = answers.marks.get(key)
                outcomes[key] = decide(answers.values.get(key), mark, value, bases.get(key), writer)
                if outcomes[key] is Saving.SAVE:
                    answers = answered(answers, key, value, marked(mark, writer))
        if answers != before:
            state = written_state(answers)
            if size_of(state) > max(MAX_BYTES, size_of(project.questionnaire_state)):
                raise UserError(f"The answers of a project take at most {MAX_BYTES >> 20} MB: shorten some of them.")
            await set_questionnaire(connection, project_id, state)
        written = {contract.contract_type for contract in await list_contracts(connection, project_id)}
    changed = {
        kind
        for key, question in QUESTIONS.items()
        if before.values.get(key) != answers.values.get(key)
        for kind in question.contracts
    }
    return Answered(
        answers,
        problems,
        tuple(kind for kind in ContractType if kind in changed and kind in written),
        tuple(key for key, outcome in outcomes.items() if outcome is Saving.CONFLICT),
        tuple(key for key, outcome in outcomes.items() if outcome is Saving.ALREADY),
    )


def size_of(state: Mapping[str, Any]) -> int:
    """Return how many bytes a state takes, about."""
    return len(json.dumps(state, ensure_ascii=False).encode("utf-8", "replace"))


async def seen_code(connection: Connection, repo_id: UUID | None) -> SeenCode:
    """Return the code that the linked repository's newest audited head shows."""
    known = await find_configuration(connection, repo_id) if repo_id else None
    if known is None:
        return SeenCode()
    shown = known[1].get("seen", {})
    layers = [
        (layer["name"], layer["globs"][0])
        for file in known[1]["boundaries"][:1]
        for layer in file["layers"]
        if layer["globs"]
    ]
    return SeenCode(
        tuple((name, number) for name, number in shown.get("languages", [])),
        tuple(shown.get("manifests", [])),
        tuple(layers) or tuple((name, glob) for name, glob in shown.get("parts", [])),
    )
