"""Finds the reader of a manifest, and reads it. Nothing of a repository is ever run."""

from __future__ import annotations

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.remembered import remembered
from forgeguard_app.audit.requirements import READERS
from forgeguard_app.audit.requirements.model import DependencyScope, Manifest, ManifestReader, not_read

MAX_MANIFEST_BYTES = 1_000_000
MAX_KEPT_CHARS = 250  # of a path that is kept: they are strangers', and nobody else's are longer
_BY_NAME = {name: reader for reader in READERS for name in reader.names}


@remembered(131_072, longest=MAX_KEPT_CHARS)
def reader_of(path: str) -> ManifestReader | None:
    """Return the reader of the manifest at the path; None where it is none that we read."""
    found = _BY_NAME.get(path.rpartition("/")[2])
    if found is not None:
        return found
    return next((reader for reader in READERS if reader.matches is not None and reader.matches(path)), None)


def is_manifest(path: str) -> bool:
    """Return whether the path is one of the manifests we read."""
    return reader_of(path) is not None


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
    reader = reader_of(path) or READERS[-1]
    try:
        return reader.read(path, text, scope)
    except RecursionError:
        return Manifest(path, problems=(Problem(path, 1, 1, "the file is nested too deeply to be read"),))
    except (ValueError, TypeError, OverflowError):  # such as a number of more digits than Python writes
        return Manifest(path, problems=(Problem(path, 1, 1, "the file holds a value that cannot be read"),))
