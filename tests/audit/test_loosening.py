"""What a change of the boundaries allows that was forbidden is told."""

from __future__ import annotations

import json

import pytest

from forgeguard_app.audit.boundaries.parse import Boundaries, read_boundaries
from forgeguard_app.audit.loosening import boundaries_loosened


def boundaries(order: list[object]) -> Boundaries:
    layers = [{"name": name, "glob": f"{name}/**"} for name in "abcd"]
    read, problems = read_boundaries(json.dumps({"layers": layers, "order": order}), "boundaries.json")
    assert not problems
    return read


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (["a", "b", "c"], ["b", "a", "c"], True),
        (["a", "b", "c"], ["a", "c", "b"], True),
        (["a", ["b", "c"]], ["a", "b", "c"], True),
        (["a", ["b", "c"]], [["b", "c"], "a"], True),
        (["a", "b", "c"], ["a", ["b", "c"]], False),
        (["a", "c"], ["a", "b", "c", "d"], False),
        ([["a", "b"]], [["b", "a"]], False),
    ],
)
def test_an_order_that_lets_a_layer_import_another_one_is_told(
    before: list[object], after: list[object], told: bool
) -> None:
    loosened = boundaries_loosened([boundaries(before)], [boundaries(after)])
    assert loosened == (["order of layers changed"] if told else [])
