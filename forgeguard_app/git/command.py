"""Runs the git program as a hostile one: a list of arguments, a scrubbed environment, limits on time and output."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
DEFAULT_TIMEOUT_S = 60.0
MAX_OUTPUT_BYTES = 256 << 20
MAX_ERROR_BYTES = 64 << 10
BIG_FILE_BYTES = 5 << 20

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


class GitError(Exception):
    """git ended with another status than 0; `stderr` is what it said, `status` its exit status."""

    def __init__(self, arguments: Sequence[str], status: int, stderr: str) -> None:
        super().__init__(f"git {arguments[0] if arguments else ''} ended with {status}: {stderr[:500]}")
        self.status, self.stderr = status, stderr

    @property
    def out_of_space(self) -> bool:
        """Whether the disk, and not the repository, is what failed."""
        return self.status == -_SIGXFSZ or any(words in self.stderr for words in _NO_SPACE)


class GitTimeout(GitError):
    """git did not end within its time."""


class GitTooLarge(GitError):
    """git's output passed its bound."""


class GitLacksObjects(GitError):
    """A partial repository lacks what the command wanted to read; it was not fetched behind our back."""


@dataclass(frozen=True)
class Repository:
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
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        # As a bare repository, so that no .gitattributes of a work tree decides what a diff shows.
        command = ["git", *settings, "-c", "core.bare=true", f"--git-dir={self.folder}", *arguments]
        env = {**scrubbed(), **self.environment, **(environment or {})}
        return await _run(command, arguments, env, stdin, timeout_s, max_bytes)


def scrubbed() -> dict[str, str]:
    """The environment git gets: no configuration but ours, no prompt, no lazy fetch, only HTTP."""
    env = {name: os.environ[name] for name in _PASSED if name in os.environ}
    return env | {
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ATTR_SOURCE": EMPTY_TREE,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ALLOW_PROTOCOL": "http:https",
        "GIT_PROTOCOL_FROM_USER": "0",
    }


def authorization(url: str, token: str) -> dict[str, str]:
    """The environment that hands a token to git for this address alone: no argument, log or file ever holds it."""
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{url}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }


async def _run(
    command: list[str],
    arguments: Sequence[str],
    env: dict[str, str],
    stdin: bytes | None,
    timeout_s: float,
    max_bytes: int,
) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=env,
        start_new_session=True,
        limit=1 << 20,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err, _ = await asyncio.gather(
                _read(process.stdout, max_bytes),
                _read(process.stderr, MAX_ERROR_BYTES, keep=True),
                _feed(process, stdin),
            )
            if out is None:
                raise GitTooLarge(arguments, -1, f"more than {max_bytes} bytes")
            status = await process.wait()
    except TimeoutError:
        raise GitTimeout(arguments, -1, f"no end within {timeout_s:.0f} s") from None
    finally:
        await _end(process)
    if status != 0:
        said = (err or b"").decode("utf-8", "replace").strip()
        kind = GitLacksObjects if "promisor remote" in said or "lazy fetching disabled" in said else GitError
        raise kind(arguments, status, said)
    return out


async def _read(stream: asyncio.StreamReader | None, limit: int, *, keep: bool = False) -> bytes | None:
    """All of the stream; past the limit None, or with `keep` its beginning."""
    chunks: list[bytes] = []
    size = 0
    while stream is not None and (chunk := await stream.read(1 << 18)):
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif not keep:
            return None
    return b"".join(chunks)


async def _feed(process: asyncio.subprocess.Process, stdin: bytes | None) -> None:
    if stdin is None or process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(stdin)
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """No git, and none of the helpers it started, outlives the call."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        await process.wait()
