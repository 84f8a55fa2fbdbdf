"""The files that decide verdicts, who reviews, or what runs in CI or on a service with a repository's rights."""

from __future__ import annotations

from fnmatch import fnmatchcase

# By their last part, in lower case.
_NAMES = (
    "boundaries.json", ".importlinter", "tach.toml", "forgeguard.y*ml", ".forgeguard.y*ml", ".gitleaks.toml", ".gitleaksignore",
    ".gitattributes", ".gitmodules", ".lfsconfig", "codeowners", ".pre-commit-config.y*ml",
    # Continuous integration and deployment.
    "action.y*ml", "jenkinsfile*", ".gitlab-ci.y*ml", ".travis.y*ml", "azure-pipelines*.y*ml", "bitbucket-pipelines.y*ml", "appveyor.y*ml",
    ".appveyor.y*ml", ".drone.*", ".woodpecker.y*ml", "cloudbuild.*", ".cirrus.*", "buildspec*.y*ml", "codemagic.y*ml", "bitrise.y*ml",
    ".zuul.y*ml", "zuul.y*ml", ".prow.y*ml", "wercker.y*ml", "screwdriver.y*ml", "netlify.toml", "vercel.json", "amplify.y*ml", "render.y*ml", "fly.toml",
    "app.json", "procfile", ".mergify.y*ml", "renovate.json*", ".renovaterc*", "dependabot.y*ml",
)  # fmt: skip
# Whole folders; what lies in `.github` decides but for what is only shown to people.
_FOLDERS = (
    ".github", ".gitea", ".forgejo", ".gitlab", ".circleci", ".buildkite", ".woodpecker", ".semaphore", ".tekton", ".teamcity", ".zuul.d", "zuul.d",
    ".azure-pipelines", ".azuredevops", ".husky",
)  # fmt: skip
_SHOWN = (".github/issue_template", ".github/pull_request_template", ".github/discussion_template")
_SHOWN_ENDS = (".md", ".png", ".svg", ".jpg", ".gif", ".txt")


def is_deciding(path: str) -> bool:
    """Return whether a change to the file is one that a person should look at.

    A file in the place of such a folder counts too: a link there leads somewhere else.
    """
    path = path.lower()
    if any(fnmatchcase(path.rpartition("/")[2], name) for name in _NAMES):
        return True
    if path.startswith(_SHOWN) or (path.startswith(".github/") and path.count("/") == 1 and path.endswith(_SHOWN_ENDS)):
        return False
    return any(path == folder or path.startswith(f"{folder}/") for folder in _FOLDERS)
