"""Runs the git program as a hostile one: a list of arguments, a scrubbed environment, limits on time and output."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from forgeguard_app.errors import UserError
from forgeguard_app.processes import OutputTooLarge, ProgramTimeout, run_program, started

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
DEFAULT_TIMEOUT_S = 60.0
MAX_OUTPUT_BYTES = 256 << 20
BIG_FILE_BYTES = 5 << 20
# What git may allocate, beside the packs that it maps. Some hundred kilobytes of objects can make it want any amount;
# a fetch of millions of honest objects wants more than a command that reads.
READING_MEMORY_BYTES = 2 << 30
WRITING_MEMORY_BYTES = 4 << 30

# What the repository or the machine could configure to run a program, to reach elsewhere or to change a format.
_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.quotePath=true",
    "core.attributesFile=/dev/null",
    f"core.bigFileThreshold={BIG_FILE_BYTES}",
    "color.ui=false",
    "core.pager=cat",
    "credential.helper=",
    "diff.external=",
    "diff.mnemonicPrefix=false",
    "diff.noprefix=false",
    "diff.suppressBlankEmpty=false",
    "diff.renameLimit=2000",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "gc.auto=0",
    # A helper of git that outlives its worker ends after this time without a byte:
    # https://git-scm.com/docs/git-config#Documentation/git-config.txt-httplowSpeedLimit
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=300",
    "maintenance.auto=false",
    "log.showSignature=false",
    "protocol.version=2",
)
_PASSED = (
    "PATH",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "LANG",
)
_NO_SPACE = ("No space left on device", "Disk quota exceeded", "File too large", "signal 25")
_SIGXFSZ = 25
# Commands that take locks in a repository which another worker takes up later. git removes its locks at SIGTERM.
_WRITING = frozenset({"config", "fetch", "init", "prune", "update-ref"})
GRACE_S = 2.0
_LACKING = ("promisor remote", "lazy fetching disabled", "fatal: unable to read ")
HOW_TO_COMPLETE = "`git fetch --refetch --no-filter` brings what a partial clone lacks"


class GitError(Exception):
    """git ended with another status than 0; `stderr` is what it said, `status` its exit status."""

    def __init__(self, arguments: Sequence[str], status: int, stderr: str) -> None:
        super().__init__(f"git {arguments[0] if arguments else ''} ended with {status}: {stderr}")
        self.command, self.status, self.stderr = arguments[0] if arguments else "", status, stderr

    @property
    def of_reading(self) -> bool:
        """Return whether the command only reads, so that it fails again where the repository is what it fails on."""
        return self.command not in _WRITING

    @property
    def out_of_space(self) -> bool:
        """Return whether the disk, and not the repository, is what failed."""
        return self.status == -_SIGXFSZ or any(words in self.stderr for words in _NO_SPACE)


class GitTimeout(GitError):
    """git did not end within its time."""


class GitTooLarge(GitError):
    """git's output passed its bound; `reason` says for people which bound of a commit that is."""

    reason = "The commit holds more files, or longer paths, than are read: the list of them is too large."


class GitLacksObjects(GitError):
    """A partial repository lacks what the command wanted to read; it was not fetched behind our back."""


@dataclass(frozen=True)
class GitRepository:
    """A repository on this machine: its git folder, and what is added to git's environment.

    `object_folders` are searched for objects beside its own.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    async def run(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_bytes: int = MAX_OUTPUT_BYTES,
        environment: Mapping[str, str] | None = None,
    ) -> bytes:
        """git's standard output.

        Raises:
            GitError: it ended with another status than 0, took too long or wrote too much.
        """
        command, env = self._command(arguments), self._environment(environment)
        writing = arguments[0] in _WRITING
        try:
            done = await run_program(
                command,
                env=env,
                stdin=stdin,
                timeout_s=timeout_s,
                max_bytes=max_bytes,
                grace_s=GRACE_S if writing else 0.0,
                memory_bytes=WRITING_MEMORY_BYTES if writing else READING_MEMORY_BYTES,
            )
        except FileNotFoundError as error:
            raise UserError("the git program was not found on PATH: install git 2.39 or later") from error
        except ProgramTimeout as error:
            raise GitTimeout(arguments, -1, str(error)) from None
        except OutputTooLarge as error:
            raise GitTooLarge(arguments, -1, str(error)) from None
        if done.status != 0:
            raise _failure(arguments, done.status, done.err)
        return done.out

    @contextlib.asynccontextmanager
    async def stream(
        self, *arguments: str, stdin: bytes | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give git's standard output piece by piece, of any size. A block that leaves early ends git.

        Raises:
            GitError: git ended with another status than 0 after its output was read, or the block took too long.
        """
        command, env = self._command(arguments), self._environment(None)
        async with started(command, env=env, stdin=stdin, memory_bytes=READING_MEMORY_BYTES) as program:
            ended = False

            async def chunks() -> AsyncIterator[bytes]:
                nonlocal ended
                async for chunk in program.chunks():
                    yield chunk
                ended = True

            try:
                async with asyncio.timeout(timeout_s):
                    yield chunks()
                    if ended:
                        status, err = await program.finish()
            except TimeoutError:
                raise GitTimeout(arguments, -1, f"no end within {timeout_s:.0f} s") from None
        if ended and status != 0:
            raise _failure(arguments, status, err)

    def _command(self, arguments: Sequence[str]) -> list[str]:
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        # As a bare repository, so that no .gitattributes of a work tree decides what a diff shows.
        return ["git", *settings, "-c", "core.bare=true", f"--git-dir={self.folder}", *arguments]

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        return {**scrubbed(), **self.environment, **(more or {})}


def scrubbed() -> dict[str, str]:
    """Return the environment git gets: no configuration but ours, no prompt, no lazy fetch, only HTTP."""
    env = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return env | {
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        # Without it git takes the current folder for the work tree, and reads its .gitattributes.
        "GIT_IMPLICIT_WORK_TREE": "0",
        "GIT_ATTR_SOURCE": EMPTY_TREE,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        # https://git-scm.com/docs/git#Documentation/git.txt-GITTERMINALPROMPT
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ALLOW_PROTOCOL": "http:https",
        "GIT_PROTOCOL_FROM_USER": "0",
    }


def authorization(url: str, token: str) -> dict[str, str]:
    """Return the environment that hands a token to git for this address alone: no argument, log or file holds it."""
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }


def _failure(arguments: Sequence[str], status: int, stderr: bytes) -> GitError:
    message = stderr.decode("utf-8", "replace").strip()
    kind = GitLacksObjects if any(words in message for words in _LACKING) else GitError
    return kind(arguments, status, message)
