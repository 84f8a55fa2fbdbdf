"""How texts of strangers and times are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import BaseModel

from forgeguard_app.web.api.models import AuditEntry, Repository
from forgeguard_app.web.api.project_models import Build
from forgeguard_app.web.markdown import as_html
from forgeguard_app.web.texts import ago, ago_words, day, foreign, plain, prose, utc


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a `b` c", "a <code>b</code> c"),
        ("`a` and ``b`c``", "<code>a</code> and <code>b`c</code>"),
        ("`` ` ``", "<code>`</code>"),
        ("never `closed", "never `closed"),
        ("``two` not one", "``two` not one"),
        ("`<b>` <i>", "<code>&lt;b&gt;</code> &lt;i&gt;"),
        ("` `", "<code> </code>"),
        ("`a\nb`", "<code>a b</code>"),
        ("`a` `b", "<code>a</code> `b"),
        ("", ""),
        ("x\u202ey", "x\\u202ey"),
        ("one\ntwo", "one\ntwo"),
    ],
)
def test_code_between_backticks_is_shown_as_code_and_nothing_else_is_markup(text: str, shown: str) -> None:
    assert prose(text) == f"<bdi>{shown}</bdi>"


def test_many_backticks_cost_no_more_than_their_length() -> None:
    assert len(prose("`" * 9 + "".join("`" * (n % 7 + 1) + "x" for n in range(5_000)))) > 10_000


def test_a_strangers_text_is_isolated_and_its_acting_characters_are_shown() -> None:
    assert foreign("<b>\u202egnp.exe\u2066\x1b[1m") == "<bdi>&lt;b&gt;\\u202egnp.exe\\u2066\\x1b[1m</bdi>"
    assert foreign("שלום") == "<bdi>שלום</bdi>"
    assert plain('a"\u202e\n') == 'a"\\u202e\\n'


def test_every_time_says_that_it_is_utc() -> None:
    at = datetime(2026, 11, 26, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    assert utc(at) == '<time datetime="2026-11-26T01:02:03+02:00">2026-11-25 23:02:03 UTC</time>'
    assert day(at) == '<time datetime="2026-11-26T01:02:03+02:00" title="2026-11-25 23:02:03 UTC">2026-11-25 UTC</time>'
    assert 'title="2026-11-25 23:02:03 UTC"' in ago(at)
    assert (ago(None), utc(None), day(None)) == ("never", "never", "never")
    now = datetime.now(UTC)
    cases = (
        (0, "just now"),
        (90, "1 minute ago"),
        (7_300, "2 hours ago"),
        (90_000, "1 day ago"),
        (800 * 86_400, "2 years ago"),
    )
    assert [ago_words(now - timedelta(seconds=s)) for s, _ in cases] == [words for _, words in cases]


def test_headings_of_a_document_stand_below_the_pages_own_and_skip_no_level() -> None:
    shown = as_html("# A\n\n### B\n\n## C\n\n###### D\n")
    assert [line[:4] for line in shown.splitlines()] == ["<h2>", "<h3>", "<h3>", "<h4>"]
    assert "\u202e" not in as_html("x \u202e y")


def test_a_branch_is_shown_without_secrets_and_acting_characters_on_pages_and_in_the_api() -> None:
    value = "gh" + "p_" + "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
    branch = f"topic/{value}/\u202eab"
    of_api: list[tuple[type[BaseModel], str]] = [
        (AuditEntry, "branch"),
        (Repository, "default_branch"),
        (Build, "branch"),
    ]
    in_api = [
        str(getattr(model.__pydantic_validator__.validate_assignment(model.model_construct(), field, branch), field))
        for model, field in of_api
    ]
    for shown in (plain(branch), str(foreign(branch)), *in_api):
        assert "topic/" in shown and "[masked]" in shown and "\\u202eab" in shown
        assert value[4:12] not in shown
