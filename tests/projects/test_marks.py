"""Whether an answer is saved, as a table."""

from __future__ import annotations

import pytest

from forgeguard_app.projects.answers import Answers, answered, read_state, written_state
from forgeguard_app.projects.marks import MAX_SEEN, Mark, Saving, Writer, decide, digest_of, marked

OLD, NEW, OTHER = "old", "new", "other"
ONE, TWO = Writer("mona", "a1", 10), Writer("hubot", "b2", 5)


@pytest.mark.parametrize(
    ("now", "mark", "value", "base", "writer", "outcome"),
    [
        (None, None, NEW, "", ONE, Saving.SAVE),
        (OLD, None, NEW, digest_of(OLD), ONE, Saving.SAVE),
        (OLD, None, NEW, None, Writer("script"), Saving.SAVE),  # the API does not look at what was there
        (OTHER, None, NEW, digest_of(OLD), ONE, Saving.CONFLICT),
        (OTHER, marked(None, TWO), NEW, digest_of(OLD), ONE, Saving.CONFLICT),
        (OTHER, marked(None, TWO), OLD, digest_of(OLD), ONE, Saving.UNTOUCHED),
        (NEW, marked(None, TWO), NEW, digest_of(OLD), ONE, Saving.SAVE),  # both say the same
        (OTHER, marked(None, TWO), "", digest_of(OLD), ONE, Saving.CONFLICT),
        (OTHER, marked(None, ONE), NEW, digest_of(OLD), Writer("mona", "a1", 11), Saving.SAVE),
        (OTHER, marked(None, ONE), NEW, digest_of(OLD), ONE, Saving.ALREADY),
        (OTHER, marked(None, ONE), NEW, digest_of(OLD), Writer("mona", "a1", 9), Saving.ALREADY),
        (OTHER, marked(marked(None, ONE), TWO), NEW, digest_of(OLD), ONE, Saving.ALREADY),  # arrived, then changed
        (OTHER, marked(marked(None, ONE), TWO), NEW, digest_of(OLD), Writer("mona", "a1", 11), Saving.CONFLICT),
    ],
)
def test_a_later_answer_of_a_page_wins_and_nobody_overwrites_what_they_did_not_see(
    now: str | None, mark: Mark | None, value: str, base: str | None, writer: Writer, outcome: Saving
) -> None:
    assert decide(now, mark, value, base, writer) is outcome


def test_marks_are_kept_with_the_answers_and_are_bounded() -> None:
    mark = None
    for number in range(20):
        mark = marked(mark, Writer("mona", f"p{number}", number))
    assert mark is not None
    assert len(mark.saves) == MAX_SEEN
    state = written_state(answered(Answers(), "intent.summary", NEW, mark))
    assert read_state(state).marks == {"intent.summary": mark}
    strange: object
    for strange in (None, [], {"intent.summary": 1}, {"intent.summary": {"login": 1, "seen": {}}}):
        assert read_state({**state, "marks": strange}).marks == {}
