"""What was evaluated is remembered within bounds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from forgeguard_app.audit.memo import AnswerCache, Memo, bytes_of
from forgeguard_app.audit.model import Finding, Level
from forgeguard_app.audit.remembered import remembered


def test_answers_to_long_questions_are_not_remembered() -> None:
    asked: list[str] = []

    @remembered(100, longest=10)
    def answer(text: str, other: str = "") -> str:
        asked.append(text)
        return text + other

    for question in (("short",), ("short", "more"), ("x" * 11,), ("short", "y" * 6)):
        assert answer(*question) == answer(*question) == "".join(question)
    assert asked == ["short", "short", "x" * 11, "x" * 11, "short", "short"]


def is_kept(memo: Memo, key: tuple[object, ...]) -> bool:
    made: list[int] = []
    memo.context(key, lambda: made.append(1))
    return not made


def test_contexts_with_long_keys_leave_before_there_are_too_many_of_them() -> None:
    memo = Memo(max_bytes=10_000)
    keys = [("files", tuple(f"{number}/{'x' * 900}" for _ in range(2))) for number in range(4)]
    for key in keys:
        memo.context(key, object)
    assert [is_kept(memo, key) for key in reversed(keys)] == [True] * 4
    memo.context(("files", ("\u4e2d" * 1_500,)), object)
    assert not is_kept(memo, keys[-1])


def test_a_key_longer_than_the_bound_is_answered_and_not_kept() -> None:
    memo = Memo(max_bytes=1_000)
    assert memo.context(("small",), lambda: "kept") == "kept"
    assert memo.context(("long", "x" * 2_000), lambda: "answered") == "answered"
    assert memo.context(("long", "x" * 2_000), lambda: "again") == "again"
    assert is_kept(memo, ("small",))


def test_a_context_that_takes_long_keeps_nobody_else_waiting() -> None:
    memo, begun, end = Memo(), threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert end.wait(30)
        return "slow"

    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(memo.context, ("slow",), slow)
        assert begun.wait(30)
        assert pool.submit(memo.context, ("quick",), lambda: "quick").result(30) == "quick"
        assert pool.submit(memo.context, ("slow",), lambda: "first").result(30) == "first"
        end.set()
        assert waiting.result(30) == "first", "what was made twice is one"


def test_contexts_that_hold_most_answers_leave_after_an_evaluation() -> None:
    memo = Memo(max_answer_bytes=1_000_000)
    caches = {name: memo.context(name, AnswerCache[tuple[str, ...]]) for name in ("small", "large")}
    for number in range(300):
        caches["small"].put(number, ("x",))
        caches["large"].put(number, ("x" * 5_000, "y"))
    memo.trim()
    assert memo.context("small", AnswerCache[tuple[str, ...]]) is caches["small"]
    assert memo.context("large", AnswerCache[tuple[str, ...]]) is not caches["large"]


def test_what_an_answer_takes_is_known_from_a_sample() -> None:
    texts = tuple("x" * 1_000 for _ in range(10_000))
    assert 9_000_000 < bytes_of((texts, {"a": texts})) / 2 < 12_000_000
    assert bytes_of(Finding("p", 1, "r", "m" * 700, Level.NOTICE)) > 700
