"""The files that decide verdicts, who reviews, or what runs in CI or on a service with a repository's rights."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

# By their last part, in lower case.
_NAMES = (
    "boundaries.json", ".importlinter", "tach.toml", "forgeguard.y*ml", ".forgeguard.y*ml", ".gitleaks.toml", ".gitleaksignore",
    ".gitattributes", ".gitmodules", ".lfsconfig", "codeowners", ".pre-commit-config.y*ml", ".mergify.y*ml", "renovate.json*",
    ".renovaterc*", "dependabot.y*ml",
)  # fmt: skip
# Of continuous integration and deployment.
_CI_NAMES = (
    "action.y*ml", "jenkinsfile*", ".gitlab-ci.y*ml", ".travis.y*ml", "azure-pipelines*.y*ml", "bitbucket-pipelines.y*ml", "appveyor.y*ml",
    ".appveyor.y*ml", ".drone.*", ".woodpecker.y*ml", "cloudbuild.*", ".cirrus.*", "buildspec*.y*ml", "codemagic.y*ml", "bitrise.y*ml",
    ".zuul.y*ml", "zuul.y*ml", ".prow.y*ml", "wercker.y*ml", "screwdriver.y*ml", "netlify.toml", "vercel.json", "amplify.y*ml", "render.y*ml", "fly.toml",
    "app.json", "procfile",
)  # fmt: skip
# Whole folders; what lies in `.github` decides but for what is only shown to people.
_FOLDERS = (
    ".github", ".gitea", ".forgejo", ".gitlab", ".circleci", ".buildkite", ".woodpecker", ".semaphore", ".tekton", ".teamcity", ".zuul.d", "zuul.d",
    ".azure-pipelines", ".azuredevops", ".husky",
)  # fmt: skip
_CI_FOLDERS = (
    ".github/workflows",
    *(folder for folder in _FOLDERS if folder not in (".github", ".gitea", ".forgejo", ".gitlab", ".husky")),
)
_SHOWN = (".github/issue_template", ".github/pull_request_template", ".github/discussion_template")
_SHOWN_ENDS = (".md", ".png", ".svg", ".jpg", ".gif", ".txt")


def is_ci(path: str) -> bool:
    """Return whether the file says what runs in continuous integration or on a deployment service."""
    path = path.lower()
    return _is_named(path, _CI_NAMES) or _is_within(path, _CI_FOLDERS)


def _is_named(path: str, names: Sequence[str]) -> bool:
    return any(fnmatchcase(path.rpartition("/")[2], name) for name in names)


def _is_within(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def is_deciding(path: str) -> bool:
    """Return whether a change to the file is one that a person should look at.

    A file in the place of such a folder counts too: a link there leads somewhere else.
    """
    path = path.lower()
    if _is_named(path, _NAMES) or _is_named(path, _CI_NAMES):
        return True
    if path.startswith(_SHOWN) or (path.startswith(".github/") and path.count("/") == 1 and path.endswith(_SHOWN_ENDS)):
        return False
    return _is_within(path, _FOLDERS)
