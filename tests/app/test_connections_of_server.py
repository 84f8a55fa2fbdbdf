"""The connections of a server to PostgreSQL: each use has its share, and the documents say how many they are."""

from __future__ import annotations

from pathlib import Path

from forgeguard_app.app.serve import INTAKE_CONNECTIONS, PAGE_CONNECTIONS, STREAM_CONNECTIONS


def test_the_shares_are_as_the_documents_say() -> None:
    shares = (INTAKE_CONNECTIONS, PAGE_CONNECTIONS, STREAM_CONNECTIONS)
    text = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
    intake, pages, streams = shares
    assert f"at most {sum(shares)} connections to PostgreSQL" in text
    assert f"{intake} take deliveries in, {pages} serve pages" in text
    assert f"{streams} serve live pages" in text
