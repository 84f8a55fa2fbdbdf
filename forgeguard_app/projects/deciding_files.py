"""The files that decide verdicts, who reviews, or what runs in CI or on a service with a repository's rights.

No list names every service. So every dot file, every file in a dot folder and every configuration file at the top of a
repository counts as well, except those that are known to decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

# By their last part, in lower case.
_NAMES = (
    "boundaries.json", ".importlinter", "tach.toml", "forgeguard.y*ml", ".forgeguard.y*ml", ".gitleaks.toml", ".gitleaksignore",
    ".gitattributes", ".gitmodules", ".lfsconfig", "codeowners", "owners", "owners_aliases", ".pre-commit-config.y*ml", ".mergify.y*ml", "renovate.json*",
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
_CONFIGURATION_ENDS = (
    ".yml",
    ".yaml",
    ".toml",
    ".json",
    ".jsonc",
    ".json5",
    ".ini",
    ".cfg",
    ".conf",
    ".hcl",
    ".tf",
    ".tfvars",
    ".properties",
)
# They say what code needs and how text looks, as any code does. What a .gitignore hides from the audit is looked at by
# itself.
_HARMLESS_DOT_FILES = (
    ".gitignore", ".gitkeep", ".keep", ".editorconfig", ".mailmap", ".python-version", ".node-version", ".nvmrc", ".ruby-version",
    ".env.example", ".env.sample", ".env.template",
)  # fmt: skip
_HARMLESS_CONFIGURATION = (
    "pyproject.toml", "setup.cfg", "tox.ini", "environment.yml", "environment.yaml", "package.json", "package-lock.json",
    "npm-shrinkwrap.json", "pnpm-lock.yaml", "tsconfig*.json", "jsconfig.json", "composer.json", "cargo.toml", "pubspec.yaml", "deno.json",
    "global.json", "elm.json", "openapi.json", "openapi.y*ml", "swagger.json", "swagger.y*ml",
)  # fmt: skip
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
    return _is_within(path, _FOLDERS) or _may_decide(path)


def _may_decide(path: str) -> bool:
    """Return whether a service may read the file as its configuration."""
    *folders, name = path.split("/")
    if any(folder.startswith(".") for folder in folders):
        return True
    if name.startswith("."):
        return name not in _HARMLESS_DOT_FILES
    return not folders and name.endswith(_CONFIGURATION_ENDS) and not _is_named(name, _HARMLESS_CONFIGURATION)
