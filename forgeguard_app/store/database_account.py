"""The account that the embedded PostgreSQL runs as where we are root: its own, and what root may do beside it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# Beside the numbers of the builders (710,000 and on). No entry in /etc/passwd is needed, so none is made.
FIRST_UID, NUMBERS = 700_000, 9_000


@dataclass(frozen=True, slots=True)
class DatabaseAccount:
    """A user and its group."""

    uid: int
    gid: int


def account_for(folder: Path) -> DatabaseAccount:
    """Return the account for the database in the folder: a number of its own, else that of the user who invoked
    sudo.
    """
    digest = hashlib.sha256(str(folder.resolve()).encode()).digest()
    first = int.from_bytes(digest[:4], "big") % NUMBERS
    for step in range(NUMBERS):
        number = FIRST_UID + (first + step) % NUMBERS
        if not _is_named(number):
            break
    own = DatabaseAccount(number, number)
    return own if _can_be_given(folder, own) else _invoking_user()


def initdb_account(account: DatabaseAccount) -> DatabaseAccount:
    """Return the account that runs initdb, which wants a name in /etc/passwd.

    With the group of the database's account no process of `nobody` can trace it, or reach a folder that is open to the
    group alone.
    """
    if _is_named(account.uid):
        return account
    return DatabaseAccount(pwd.getpwnam("nobody").pw_uid, account.gid)


def hand_over(folder: Path, account: DatabaseAccount) -> None:
    """Give the folder and what is below to the account. No link is followed, and no file with another name is given."""
    if folder.lstat().st_uid == account.uid:
        return
    for _, folders, files, at in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1):
                os.chown(name, account.uid, account.gid, dir_fd=at, follow_symlinks=False)
    os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def own_file(path: Path, mode: int) -> BinaryIO:
    """Return a new file for writing in place of whatever has the name; a link is removed, never followed."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode), "wb")


def _is_named(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True


def _can_be_given(folder: Path, account: DatabaseAccount) -> bool:
    """Return whether files can belong to the account here: a container may have only some numbers."""
    with tempfile.TemporaryDirectory(dir=folder) as tried:
        try:
            os.chown(tried, account.uid, account.gid)
        except OSError:
            return False
    return True


def _invoking_user() -> DatabaseAccount:
    number = os.environ.get("SUDO_UID", "")
    with contextlib.suppress(KeyError):
        if number.isascii() and number.isdigit() and int(number):
            found = pwd.getpwuid(int(number))
            return DatabaseAccount(found.pw_uid, found.pw_gid)
    found = pwd.getpwnam("nobody")
    return DatabaseAccount(found.pw_uid, found.pw_gid)
