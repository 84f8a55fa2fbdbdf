"""Which file is a Python manifest, and the reader for each kind. Nothing of a repository is ever run."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.requirements.model import DependencyScope, Manifest, not_read
from forgeguard_app.audit.requirements.pyproject import read_pipfile, read_pyproject
from forgeguard_app.audit.requirements.requirements_txt import is_requirements_file, read_requirements
from forgeguard_app.audit.requirements.setuptools import read_setup_cfg, read_setup_py, read_tox

MAX_MANIFEST_BYTES = 1_000_000
Reader = Callable[[str, str], Manifest]

_READERS: dict[str, Reader] = {
    "pyproject.toml": read_pyproject,
    "setup.cfg": read_setup_cfg,
    "setup.py": read_setup_py,
    "Pipfile": read_pipfile,
    "tox.ini": read_tox,
}


@lru_cache(maxsize=131_072)
def is_manifest(path: str) -> bool:
    """Return whether the path is one of the manifests we read."""
    return path.rpartition("/")[2] in _READERS or is_requirements_file(path)


def read_manifest(path: str, data: bytes, scope: DependencyScope | None = None) -> Manifest:
    """Return what the manifest declares; its errors stand in its problems.

    `scope` overrides what a requirements file's own name says, for one that another manifest refers to.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        return not_read(path, f"larger than {MAX_MANIFEST_BYTES:,} bytes")
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Manifest(path, problems=(Problem(path, line, 1, "the file is not UTF-8 text"),))
    reader = _READERS.get(path.rpartition("/")[2])
    try:
        return reader(path, text) if reader is not None else read_requirements(path, text, scope)
    except RecursionError:
        return Manifest(path, problems=(Problem(path, 1, 1, "the file is nested too deeply to be read"),))
