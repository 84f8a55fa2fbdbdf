"""The look for a builder's given values in what it left."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from forgeguard_app.audit.secrets.masking import forms_of
from forgeguard_app.builders.given_values import PIECE_BYTES, find_given


def test_a_file_of_nothing_but_short_lines_is_read_in_as_much_memory_as_a_piece_of_it(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a\n" * (PIECE_BYTES // 2))
    tracemalloc.start()
    assert find_given(tmp_path, ["a"], forms_of(["a-value-of-ours"])) is None
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 4 * PIECE_BYTES
