"""Declarations of many lists, of which none is copied."""

from __future__ import annotations

from forgeguard_app.audit.requirements.joined import Layered, walked


class CountedNames(dict[str, int]):
    """Names that count the questions for one of them."""

    asked = 0

    def __contains__(self, name: object) -> bool:
        CountedNames.asked += 1
        return super().__contains__(name)


def test_each_name_is_given_once_and_no_list_is_asked_for_the_names_of_others() -> None:
    parts = [CountedNames({f"n{number}": 1, "all": number}) for number in range(500)]
    layered = Layered(parts)
    assert sorted(layered) == sorted(["all", *(f"n{number}" for number in range(500))])
    assert (len(layered), layered["all"]) == (501, 0)
    assert CountedNames.asked < 1_000


def test_a_long_walk_looks_at_the_clock() -> None:
    ticks: list[int] = []
    assert sum(1 for _ in walked((str(number) for number in range(1_000)), lambda: ticks.append(1))) == 1_000
    assert len(ticks) == 10
