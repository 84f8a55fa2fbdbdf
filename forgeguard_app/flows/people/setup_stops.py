"""Why set-up does not go on, in words: what happened, and what the person does next."""

from __future__ import annotations

from dataclasses import dataclass

from forgeguard_app.errors import UserError
from forgeguard_app.github.app_manifest import apps_url

SETUP = "/setup"
LOG = "Restart `forgeguard serve`: it logs a new one-time link. Open that link in this browser."


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to do, with the link that leads there where there is one."""

    text: str
    label: str = ""
    href: str = ""


class SetupStopped(UserError):
    """Set-up does not go on: what happened, and what to do. `transient` says that the same address works later."""

    def __init__(self, title: str, explanation: str, remedies: tuple[Remedy, ...], *, transient: bool = False) -> None:
        super().__init__(explanation)
        self.title, self.explanation, self.remedies, self.transient = title, explanation, remedies, transient


def not_this_browser() -> SetupStopped:
    """Return the stop for a browser that the one-time link does not belong to."""
    return SetupStopped(
        "This link does not work here",
        "The one-time link was opened in another browser, or a newer link replaced it.",
        (Remedy("Go on in the browser in which the link was opened."), Remedy(f"Or start over. {LOG}")),
    )


def already_set_up(github_url: str) -> SetupStopped:
    """Return the stop for everybody but the browser that made the App."""
    return SetupStopped(
        "ForgeGuard is set up already",
        "This server has its GitHub App. The one-time link works no more.",
        (
            Remedy("Sign in to see your repositories, or to install the App on more of them.", "To the start", "/"),
            Remedy(
                "If GitHub has just made another App, delete it; it has no use.", "Apps at GitHub", apps_url(github_url)
            ),
        ),
    )


def other_browser(github_url: str) -> SetupStopped:
    """Return the stop for an answer of GitHub that arrives in a browser which did not ask for it."""
    return SetupStopped(
        "This answer belongs to another browser",
        "Set-up was begun in another browser, or this browser's cookie is gone. GitHub's answer was not used.",
        (
            Remedy("Open this page's address in the browser in which you began; it works for an hour."),
            Remedy(f"If you cannot, start over. {LOG}"),
            Remedy(
                "Then delete the App that GitHub has just made; it has no use.", "Apps at GitHub", apps_url(github_url)
            ),
        ),
    )


def not_asked(github_url: str) -> SetupStopped:
    """Return the stop for an answer whose state this browser never sent, or that holds no code."""
    return SetupStopped(
        "This answer is not the one that was asked for",
        "GitHub's answer has no code, or belongs to an earlier set-up. It was not used.",
        (
            Remedy("Create the App again.", "Set up again", SETUP),
            Remedy(
                "If GitHub made an App already, delete it first; its name is taken until then.",
                "Apps at GitHub",
                apps_url(github_url),
            ),
        ),
    )


def code_refused(github_url: str, organization: str) -> SetupStopped:
    """Return the stop for a code that GitHub does not accept."""
    return SetupStopped(
        "GitHub does not accept the answer",
        "GitHub does not accept the code: it is used or an hour old. The App exists at GitHub, but its "
        "private key cannot be fetched again. "
        "If you did not open this page twice, somebody else may have used the code and hold that key.",
        (
            Remedy(
                "Delete the App at GitHub. That makes its key useless and its name free.",
                "Apps at GitHub",
                apps_url(github_url, organization),
            ),
            Remedy("Create the App again.", "Set up again", SETUP),
        ),
    )


def not_answered(github_url: str, organization: str) -> SetupStopped:
    """Return the stop for a conversion whose answer did not arrive."""
    return SetupStopped(
        "GitHub did not answer",
        "GitHub could not be asked for the App's credentials, or its answer did not arrive. Nothing is lost "
        "yet: the code works for an hour, once.",
        (
            Remedy("Reload this page to try again."),
            Remedy(
                "If GitHub then does not accept the code, its answer was lost: delete the App and create it again.",
                "Apps at GitHub",
                apps_url(github_url, organization),
            ),
        ),
        transient=True,
    )


def under_way() -> SetupStopped:
    """Return the stop for an answer that another tab is still finishing."""
    return SetupStopped(
        "Set-up is being finished",
        "This answer was opened twice, and GitHub has not yet answered the first time.",
        (Remedy("Reload this page in a moment."),),
        transient=True,
    )


def not_used(github_url: str, organization: str, slug: str = "") -> SetupStopped:
    """Return the stop for an App that was made while this server got another one."""
    return SetupStopped(
        "Another App was made meanwhile",
        "This server has its GitHub App already. The App that GitHub has just made is not used.",
        (
            Remedy(
                "Delete the one that is not used.",
                "Its page at GitHub" if slug else "Apps at GitHub",
                apps_url(github_url, organization, slug),
            ),
            Remedy("Sign in, or install the App that is used.", "To the start", "/"),
        ),
    )
