"""Pipenv's Pipfile."""

from __future__ import annotations

from forgeguard_app.audit.requirements.model import DependencyScope, Manifest, ManifestReader, by_itself
from forgeguard_app.audit.requirements.toml_reader import TomlReader, load_document


def read_pipfile(path: str, text: str) -> Manifest:
    """Return what the Pipfile declares."""
    document = load_document(path, text)
    if isinstance(document, Manifest):
        return document
    reader = TomlReader(path, text)
    reader.named(document.get("packages"), DependencyScope.RUNTIME, "packages")
    reader.named(document.get("dev-packages"), DependencyScope.DEVELOPMENT, "dev-packages")
    return Manifest(path, tuple(reader.declared), problems=tuple(reader.problems))


PIPFILE = ManifestReader(by_itself(read_pipfile), names=("Pipfile",))
