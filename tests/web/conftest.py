"""Fixtures of the pages' and the API's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.api import Known, all_known
from tests.support.repositories import WorkTree
from tests.support.running import running


@pytest.fixture
async def known(dsn: str, tmp_path: Path, tree: WorkTree) -> AsyncIterator[Known]:
    async with running(dsn, tmp_path / "product", api_per_minute=1_000_000) as product:
        yield await all_known(product, tree)
