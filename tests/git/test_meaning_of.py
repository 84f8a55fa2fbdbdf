"""What git's refusals mean for an audit: gone, not ours any more, or to be tried again."""

from __future__ import annotations

import pytest

from forgeguard_app.errors import RetryLater
from forgeguard_app.git.command import GitError
from forgeguard_app.git.mirror import CommitGone, RepositoryGone, meaning_of


@pytest.mark.parametrize(
    ("stderr", "meaning"),
    [
        ("fatal: remote error: upload-pack: not our ref 1234", CommitGone),
        ("fatal: couldn't find remote ref refs/heads/x", CommitGone),
        ("error: Server does not allow request for unadvertised object 1234", CommitGone),
        ("remote: Repository not found.", RepositoryGone),
        ("fatal: unable to access '…': The requested URL returned error: 403", RepositoryGone),
        ("fatal: unable to access '…': The requested URL returned error: 500", RetryLater),
        ("fatal: unable to access '…': Could not resolve host: github.com", RetryLater),
        ("fatal: early EOF", RetryLater),
        ("", RetryLater),
    ],
)
def test_what_git_says_of_a_fetch(stderr: str, meaning: type[Exception]) -> None:
    assert type(meaning_of(GitError(["fetch"], 128, stderr))) is meaning
