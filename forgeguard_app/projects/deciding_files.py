"""The files that decide verdicts, who reviews, or what CI runs with a repository's secrets."""

from __future__ import annotations

_NAMES = frozenset(
    (
        "boundaries.json", ".importlinter", "forgeguard.yml", "forgeguard.yaml", ".gitleaks.toml", ".gitleaksignore", ".gitattributes", "codeowners",
        ".gitlab-ci.yml", ".travis.yml", "azure-pipelines.yml", "jenkinsfile", "bitbucket-pipelines.yml",
    )
)  # fmt: skip
_FOLDERS = (".github/workflows/", ".github/actions/", ".circleci/")


def is_deciding(path: str) -> bool:
    """Return whether a change to the file is one that a person should look at."""
    path = path.lower()
    return path.rpartition("/")[2] in _NAMES or path.startswith(_FOLDERS)
