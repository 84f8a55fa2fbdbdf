"""Describes a head for a repository's page and its project's questionnaire: configuration as understood, its files, and
its languages.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from forgeguard_app.audit.boundaries.propose import rooms_of
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.described import describe
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.masked_text import masked_path
from forgeguard_app.audit.policy import POLICY_PATHS
from forgeguard_app.audit.report import clean
from forgeguard_app.audit.secrets.masking import masked
from forgeguard_app.evaluation.range_loader import RangeLoader

LANGUAGES = {
    "py": "Python",
    "ts": "TypeScript",
    "tsx": "TypeScript",
    "js": "JavaScript",
    "go": "Go",
    "rs": "Rust",
    "java": "Java",
    "kt": "Kotlin",
    "rb": "Ruby",
    "php": "PHP",
    "cs": "C#",
    "c": "C",
    "cpp": "C++",
    "swift": "Swift",
}
MANIFESTS = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "Pipfile",
    "package.json",
    "go.mod",
    "Cargo.toml",
    "environment.yml",
)
MOST_PARTS = 60
MOST_TEXTS, MAX_TEXT_CHARS = 10, 50_000
MAX_CHARS = 400_000  # of all of it: a stranger's file may have 500 layers of 2,000 rules


def show(gathering: RangeLoader, head: Tree, config: EffectiveConfig) -> dict[str, Any]:
    """Plain values, bounded: where there is too much of it, the layers and the files are left out and counted."""
    shown = {
        **describe(config, gathering.deadline.check),
        "files": _files(gathering, head, config),
        "seen": _head_facts(head),
    }
    if len(json.dumps(shown)) <= MAX_CHARS:
        return shown
    boundaries = [
        {**file, "layers": [], "order": [], "left_out": file["left_out"] + len(file["layers"])}
        for file in shown["boundaries"]
    ]
    return {**shown, "boundaries": boundaries, "files": {}}


def _files(gathering: RangeLoader, head: Tree, config: EffectiveConfig) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in (*POLICY_PATHS, *(file.path for file in config.boundaries)):
        data = gathering.text_at(head, path)
        if data is None or len(data) > MAX_TEXT_CHARS or len(found) >= MOST_TEXTS:
            continue
        text = clean(data.decode("utf-8", "replace"))
        # A text to start a change from must be whole: one with a secret in it is not kept at all.
        if masked(text, keep_hashes=True, tick=gathering.deadline.check) == text:
            found[masked_path(clean(path))] = text
    return found


def _head_facts(head: Tree) -> dict[str, Any]:
    endings = Counter(path.rpartition("/")[2].rpartition(".")[2].lower() for path in head.blobs)
    languages: Counter[str] = Counter()
    for ending, name in LANGUAGES.items():
        languages[name] += endings[ending]
    manifests = [path for path in head.blobs if path.rpartition("/")[2] in MANIFESTS]
    return {
        "languages": [language for language in languages.most_common() if language[1]],
        "manifests": [masked_path(clean(path)) for path in manifests[:MOST_PARTS]],
        "parts": [
            (masked_path(clean(room.name)), masked_path(clean(room.glob))) for room in rooms_of(head)[:MOST_PARTS]
        ],
    }
