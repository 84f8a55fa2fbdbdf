"""Answers of a whole questionnaire."""

from __future__ import annotations

from typing import Any

from forgeguard_app.projects.answers import Answers, answered, read_answer
from forgeguard_app.projects.proposals import SeenCode, propose
from forgeguard_app.projects.questions import QUESTIONS

GIVEN: dict[str, Any] = {
    "intent.summary": "It keeps a shop's orders",
    "intent.users": ["Shop keepers"],
    "intent.outcomes": ["See what to ship"],
    "stack.database": "postgresql",
    "ui.kind": "server-rendered pages",
    "deployment.target": "container",
    "data.tables": [
        {"table": "lines", "column": "order_id", "type": "uuid", "rule": "required", "references": "order"},
        {"table": "order", "column": "id", "type": "uuid", "rule": "primary key", "references": ""},
        {"table": "order", "column": "user", "type": "text", "rule": "primary key", "references": "nowhere"},
        {"table": "order", "column": "id", "type": "text", "rule": "", "references": ""},
    ],
}


def filled(stack: str, package: str = "shop", code: SeenCode | None = None) -> Answers:
    """Some answers, and every proposal taken as it is."""
    answers = Answers({})
    for key, value in {**GIVEN, "stack.kind": stack}.items():
        read, problems = read_answer(QUESTIONS[key], value)
        assert problems == []
        answers = answered(answers, key, read)
    for key, question in QUESTIONS.items():
        if key not in answers.values:
            value = propose(key, answers, code or SeenCode(), package)
            read, problems = read_answer(question, value) if value else ("", [])
            assert problems == [], (key, problems)
            answers = answered(answers, key, read)
    return answers
