"""The files that decide verdicts, who reviews, or what CI runs with a repository's secrets."""

from __future__ import annotations

_NAMES = frozenset(
    (
        "boundaries.json", ".importlinter", "tach.toml", "forgeguard.yml", "forgeguard.yaml", ".forgeguard.yml", ".forgeguard.yaml",
        ".gitleaks.toml", ".gitleaksignore", ".gitattributes", "codeowners", ".pre-commit-config.yaml", ".pre-commit-config.yml",
        ".gitlab-ci.yml", ".travis.yml", "azure-pipelines.yml", "jenkinsfile", "bitbucket-pipelines.yml", "appveyor.yml", ".appveyor.yml",
        ".drone.yml", ".woodpecker.yml", ".woodpecker.yaml", "cloudbuild.yaml", "cloudbuild.yml",
    )
)  # fmt: skip
_FOLDERS = (
    ".github/workflows", ".github/actions", ".gitea/workflows", ".forgejo/workflows", ".circleci", ".buildkite", ".woodpecker",
)  # fmt: skip
_ABOVE = frozenset(folder.rpartition("/")[0] for folder in _FOLDERS) - {""}


def is_deciding(path: str) -> bool:
    """Return whether a change to the file is one that a person should look at.

    A file in the place of such a folder counts too: a link there leads somewhere else.
    """
    path = path.lower()
    if path.rpartition("/")[2] in _NAMES or path in _ABOVE:
        return True
    return any(path == folder or path.startswith(f"{folder}/") for folder in _FOLDERS)
