"""setup.py read as a text, in several threads as a worker's audits do."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from forgeguard_app.audit.requirements.setuptools import read_setup_py

CALL = "setup(name='shop', install_requires=['requests'])\n"


@pytest.fixture
def yielding_collector() -> Iterator[None]:
    """Let other threads run whenever the garbage collector does, in the middle of parsing as well."""

    def give_way(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    thresholds = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(20, *thresholds[1:])
    yield
    gc.set_threshold(*thresholds)
    gc.callbacks.remove(give_way)


@pytest.mark.usefixtures("yielding_collector")
def test_files_that_are_read_at_the_same_time_do_not_disturb_each_other() -> None:
    body = "\n".join(f"x{number} = [lambda a: (a + {number}, [b for b in range({number})])]" for number in range(100))
    text = f"from setuptools import setup\n{body}\n{CALL}"
    with ThreadPoolExecutor(6) as threads:
        manifests = list(threads.map(lambda number: read_setup_py("setup.py", text), range(60)))
    assert {(manifest.opaque, len(manifest.declared)) for manifest in manifests} == {("", 1)}
