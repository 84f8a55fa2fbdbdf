"""The readers of manifests, one record each; the last one reads every file that another manifest refers to."""

from __future__ import annotations

from forgeguard_app.audit.requirements.model import ManifestReader
from forgeguard_app.audit.requirements.pipfile import PIPFILE
from forgeguard_app.audit.requirements.pyproject import PYPROJECT
from forgeguard_app.audit.requirements.requirements_txt import REQUIREMENTS
from forgeguard_app.audit.requirements.setuptools import SETUP_CFG, SETUP_PY, TOX

READERS: tuple[ManifestReader, ...] = (PYPROJECT, SETUP_CFG, SETUP_PY, PIPFILE, TOX, REQUIREMENTS)
PROJECT_FILES = frozenset(name for reader in READERS if reader.marks_project for name in reader.names)
