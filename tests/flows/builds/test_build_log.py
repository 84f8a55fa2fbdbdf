"""What is kept of a build's output is what was masked."""

from __future__ import annotations

import base64
import json

import pytest

from forgeguard_app.builders.process import MAX_LINE_BYTES
from forgeguard_app.flows.builds.build_log import MAX_JOINED_BYTES, BuildLog, LogReader
from forgeguard_app.store.build_logs import list_lines
from tests.support.running import Product
from tests.support.stored_builds import insert_build_row, insert_person, insert_project_row

KEY = "operators/own+key-4711"  # what BUILDER_ENV hands to the builder: no rule knows it
TOKEN = "ghp_" + "0uVTEwVmIrT7DrVjHRZuLtdrPUUb6R2GFoqh"
PAD = b"x " * (MAX_LINE_BYTES // 2)


def kept(*batches: list[bytes]) -> str:
    reader = LogReader([KEY])
    lines = [line for batch in batches for line in reader.read(batch)] + reader.rest()
    return "\n".join(text for _, text in lines)


@pytest.mark.parametrize("value", [KEY, TOKEN], ids=["own key", "token"])
@pytest.mark.parametrize(
    "shape",
    [
        lambda value: [[f"the \x1b[01;31m\x1b[K{value[:6]}\x1b[m\x1b[K{value[6:]} it is".encode()]],
        lambda value: [[json.dumps({"message": f"the {value}"}).replace(value[0], f"\\u{ord(value[0]):04x}").encode()]],
        lambda value: [[json.dumps({"message": f"the {value[:9]}\n{value[9:]}"}).encode()]],
        lambda value: [[f"the {value[:9]}\0{value[9:]}".encode()]],
        lambda value: [[f"the {value[:9]}\u200b{value[9:]}".encode()]],
        lambda value: [[f"the {value[:9]}".encode(), value[9:].encode()]],
        lambda value: [[PAD[: -len(value) // 2 * 2] + b" " + value.encode()]],
        lambda value: [[PAD[: MAX_LINE_BYTES - 9] + value[:9].encode(), value[9:].encode()]],
        lambda value: [[PAD[: MAX_LINE_BYTES - 9] + value[:9].encode()], [value[9:].encode()]],
        lambda value: [[b" " * 3_990 + value.encode() + b" and more" * 50]],
    ],
    ids=["colours", "json", "json lines", "control", "no width", "lines", "end", "cut", "batches", "kept length"],
)
def test_no_part_of_a_value_is_kept(shape, value: str) -> None:  # type: ignore[no-untyped-def]
    text = kept(*shape(value))
    assert value[:9] not in text
    assert value[9:] not in text


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_an_own_key_is_masked_in_the_encodings_in_which_programs_print_it(before: str) -> None:
    value = f"{before}{KEY}zz".encode()
    printed = [
        base64.b64encode(value),
        base64.urlsafe_b64encode(value),
        value.hex().encode(),
        b"operators%2Fown%2Bkey-4711",
    ]
    assert all(b"[masked]" in kept([line]).encode() for line in printed)


def test_an_own_key_is_masked_as_programs_escape_it_for_html() -> None:
    reader = LogReader(["operators<own>&key\"47'11"])
    for quotes in (('"', "'"), ("&quot;", "&#x27;"), ("&quot;", "&#39;"), ("&#34;", "&#39;"), ("&quot;", "&apos;")):
        line = "the operators&lt;own&gt;&amp;key{}47{}11 it is".format(*quotes)
        assert [text for _, text in reader.read([line.encode()])] == ["the [masked] it is"]


def test_each_line_of_an_own_key_of_several_lines_is_masked_alone() -> None:
    lines = ["-----BEGIN X-----", "QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Zm9vYmFyYmF6cXV4MTIzNDU2", "short"]
    reader = LogReader(["\r\n".join(lines)])
    for line in (lines[2], lines[1]):
        printed = [f"the {line} it is".encode(), line.encode().hex().encode()]
        assert [text for _, text in reader.read(printed)] == ["the [masked] it is", "[masked]"]
    assert [text for _, text in reader.read([b"a short line"])] == ["a short line"]


@pytest.mark.parametrize("value", [KEY, TOKEN, base64.b64encode(KEY.encode()).decode()], ids=["key", "token", "base64"])
@pytest.mark.parametrize("size", [8, 9, 12, 18])
def test_a_value_over_batches_is_masked_from_its_beginning(value: str, size: int) -> None:
    pieces = [value[at : at + size].encode() for at in range(0, len(value), size)]
    text = kept(
        [b"first", b"the " + pieces[0]], *([piece] for piece in pieces[1:-1]), [pieces[-1] + b" it is", b"last"]
    )
    assert not any(piece.decode() in text for piece in pieces if len(piece) > 3)
    lines = text.split("\n")
    assert (lines[0], lines[-1], len(lines)) == ("first", "last", len(pieces) + 2)


def test_a_value_s_beginning_is_held_back_with_what_follows_it_on_other_lines() -> None:
    reader = LogReader([KEY])
    assert reader.read([b"before", f"the {KEY[:9]}".encode()]) == [("info", "before")]
    assert reader.read([b"", "\u200b".encode()]) == []
    lines = [text for _, text in reader.read([KEY[9:].encode(), b"after"])]
    assert (lines[0], lines[-1]) == ("the [masked]", "after")
    assert len(lines) == 5
    assert reader.rest() == []


def test_nothing_that_is_held_back_is_lost() -> None:
    for beginning in (KEY[:-1], TOKEN[:-1]):
        reader = LogReader([KEY])
        assert reader.read([b"a", f"the {beginning}".encode()]) == [("info", "a")]
        assert reader.read([b" other"]) == [("info", f"the {beginning}"), ("info", " other")]
        assert reader.read([f"the {beginning}".encode()]) == []
        assert reader.sentences("ours", "warn") == [("warn", "ours")]
        assert reader.rest() == [("info", f"the {beginning}")]
        assert reader.rest() == []


def test_so_much_is_held_back_and_no_more() -> None:
    reader = LogReader([KEY])
    assert reader.read([KEY[:9].encode()]) == []
    given = 1
    while not (lines := reader.read([b""] * 100)):
        given += 100
        assert given < 10_000
    assert [text for _, text in lines + reader.rest()] == [KEY[:9]] + [""] * (given + 99)


@pytest.mark.parametrize(
    "prompt",
    [
        "Password for https://git:",
        f"{KEY[:7]}",
        f"the {KEY}",
        f"the {TOKEN}",
        "ghp_",
        f"{KEY[:9]}?",
        "drew figures",
        "",
    ],
)
def test_other_lines_are_shown_at_once(prompt: str) -> None:
    assert len(LogReader([KEY]).read([prompt.encode()])) == 1


def test_ordinary_output_stays_as_it_is() -> None:
    lines = [
        b"Collecting requests==2.34.2",
        b"  Downloading requests-2.34.2-py3-none-any.whl (64 kB)",
        b"",
        b"ok: 12 passed in 3.4s",
        b"[main 1a2b3c4] Build the API",
        b" 3 files changed, 120 insertions(+)",
        b"password:",
        b"Compiling serde v1.0.219",
    ]
    assert kept(lines).encode().split(b"\n") == lines


def test_of_a_line_without_end_the_beginning_is_kept() -> None:
    reader = LogReader()
    for _ in range(3 * MAX_JOINED_BYTES // MAX_LINE_BYTES):
        assert reader.read([b"y" * MAX_LINE_BYTES]) == []
    (line, after) = reader.read([b"y", b"z"])
    assert line[1].endswith("y…")
    assert after == ("info", "z")


async def test_what_a_builder_prints_is_kept_up_to_a_bound_over_all_attempts_and_that_is_said_once(
    product: Product,
) -> None:
    async with product.pool.acquire() as connection:
        user_id = await insert_person(connection, 1, "mona")
        build_id = await insert_build_row(connection, await insert_project_row(connection, user_id), "failed")
    for attempt in range(3):  # each has a log of its own
        log = BuildLog(product.context, build_id, max_bytes=1_000)
        for number in range(8):
            await log.hear([f"{attempt}.{number} ".encode() + b"x" * 96, b""])
        await log.say(f"Attempt {attempt} ended.")
    async with product.pool.acquire() as connection:
        lines = [line.message for line in await list_lines(connection, build_id, 0, 100)]
    printed = [line[:3] for line in lines if line.endswith("x")]
    assert printed == [f"0.{number}" for number in range(7)]
    assert [line for line in lines if "1,000 bytes" in line] == [
        "The builder printed more than 1,000 bytes; what it prints from here on is not kept."
    ]
    assert lines[-3:] == [f"Attempt {attempt} ended." for attempt in range(3)]
