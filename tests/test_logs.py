"""What stands in a log line: no value of a stranger, at whatever depth and wherever the line is cut."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from forgeguard_app.logs import MAX_CHARS
from tests.support.logged import logged

VALUE = "gh" + "p_" + "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"


@pytest.mark.parametrize(
    "value",
    [
        VALUE,
        "." * (MAX_CHARS - 12) + VALUE,
        ["a", {"b": f"x {VALUE}"}],
        {f"{VALUE}": 1},
        (RuntimeError(f"no {VALUE}"),),
        f"{VALUE} \x9b31m \u202e",
    ],
    ids=["text", "cut", "list", "key", "object", "characters"],
)
def test_a_value_is_in_no_line_of_the_log(value: object) -> None:
    with logged() as lines:
        structlog.get_logger().warning("it.failed", reason=value, branch=f"topic-{VALUE}")
        try:
            raise ValueError(f"bad {VALUE}")
        except ValueError:
            structlog.get_logger().error("job.failed", exc_info=True)
        logging.getLogger("library").warning("said %s", VALUE)
    text = lines.getvalue()
    assert VALUE[4:12] not in text
    assert not {"\x9b", "\u202e"} & set(text)
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["event"] for event in events] == ["it.failed", "job.failed", "said ***"]
    assert "ValueError" in events[1]["exception"]


def test_numbers_and_sentences_stay_as_they_are() -> None:
    sha = "d968399" + "0" * 33
    with logged() as lines:
        structlog.get_logger().info("audit.evaluated", result="PASS", files=3, wait_s=0.5, given_up=False, sha=sha)
    event = json.loads(lines.getvalue())
    assert {name: event[name] for name in ("result", "files", "wait_s", "given_up", "sha")} == {
        "result": "PASS",
        "files": 3,
        "wait_s": 0.5,
        "given_up": False,
        "sha": sha,
    }
