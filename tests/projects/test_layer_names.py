"""The names in the table of layers."""

from __future__ import annotations

import pytest

from forgeguard_app.projects.answers import Answers
from forgeguard_app.projects.layer_names import layer_problems
from forgeguard_app.projects.proposals import SeenCode, propose
from forgeguard_app.projects.questions import QUESTIONS, STACKS

LAYERS = QUESTIONS["boundaries.layers"]


def row(name: str, may_import: str = "") -> dict[str, str]:
    return {"name": name, "glob": f"{name}/**", "may_import": may_import, "forbidden_imports": "", "reason": ""}


@pytest.mark.parametrize(
    ("rows", "problems"),
    [
        ([row("web", "core, store"), row("core", "-"), row("store")], []),
        (
            [row("web", "core, stroe"), row("core")],
            ["Row 1, May import: no layer is called “stroe”. The layers are web, core."],
        ),
        ([row("web"), row("web")], ["Row 2, Layer: another row is called “web” too. Each layer has its own name."]),
        ([], []),
    ],
)
def test_an_unknown_layer_name_is_said_at_its_field_and_not_dropped(
    rows: list[dict[str, str]], problems: list[str]
) -> None:
    assert layer_problems(LAYERS, rows) == problems


@pytest.mark.parametrize("stack", STACKS)
def test_the_proposed_layers_have_names_that_exist(stack: str) -> None:
    proposed = propose("boundaries.layers", Answers({"stack.kind": stack}), SeenCode(), "shop")
    assert isinstance(proposed, list) or proposed == ""
    assert not layer_problems(LAYERS, proposed)
