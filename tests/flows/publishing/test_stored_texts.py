"""The texts of a check have bounds where they are stored, whatever they repeat."""

from __future__ import annotations

from forgeguard_app.audit.model import CheckCode, CheckReport, Report, Result
from forgeguard_app.flows.publishing.verdicts import MAX_DETAIL_BYTES, verdict_of
from forgeguard_app.github.check_runs import MAX_TEXT_BYTES


def test_a_summary_of_the_longest_paths_is_stored_as_github_shows_it() -> None:
    long = ", ".join(f"`{'ü' * 4_000}/{number}.py`" for number in range(5))
    report = CheckReport(CheckCode("A9"), Result.WARN, "Title", notes=(long,) * 60, incomplete=(long,) * 9)
    ((check, findings),) = verdict_of(Report(None, None, 1, (report,))).checks
    assert findings == []
    assert len(check.summary.encode()) <= MAX_TEXT_BYTES
    assert len((check.detail or "").encode()) <= MAX_DETAIL_BYTES
    assert check.summary.endswith("…")
    assert MAX_TEXT_BYTES // 2 < check.long_text_bytes < MAX_TEXT_BYTES + MAX_DETAIL_BYTES
