"""Root is given up where a user is configured, and warned of where none is."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import structlog

from forgeguard_app.errors import UserError

ADVICE = (
    "set FORGEGUARD_RUN_AS to a user of its own, or start ForgeGuard as one: as root, one fault of it is the "
    "whole machine's"
)
log = structlog.get_logger()


def leave_root(run_as: str, home: Path) -> None:
    """Become the user `run_as`, with its groups and nothing of root's; `home` is made for it where there is none.

    Raises:
        UserError: there is no such user, it is root, we are somebody else, or it may not read our program or write
            `home`.
    """
    if os.geteuid() != 0:
        _refuse_other(run_as)
        return
    if not run_as:
        log.warning("process.root", advice=ADVICE)
        return
    user = _user(run_as)
    if not home.exists():
        home.mkdir(parents=True, mode=0o711)
        os.chown(home, user.pw_uid, user.pw_gid)
    # The groups first, since setting them needs root: https://man7.org/linux/man-pages/man2/setgroups.2.html
    os.initgroups(user.pw_name, user.pw_gid)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.environ |= {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name}
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise UserError(
            f"FORGEGUARD_RUN_AS: {run_as} may not write {home}: chown -R {run_as} {home}, once nothing of ours runs"
        )
    for place in (os.__file__, __file__):
        if not os.access(place, os.R_OK):
            raise UserError(
                f"FORGEGUARD_RUN_AS: {run_as} may not read {place}: install ForgeGuard where it can, such as below /opt"
            )


def _refuse_other(run_as: str) -> None:
    if run_as and _user(run_as).pw_uid != os.geteuid():
        raise UserError(f"FORGEGUARD_RUN_AS: only root can become {run_as}; start ForgeGuard as {run_as}, or unset it")


def _user(name: str) -> pwd.struct_passwd:
    try:
        user = pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise UserError(f"FORGEGUARD_RUN_AS: this machine has no user {name[:100]!r}") from None
    if user.pw_uid == 0:
        raise UserError("FORGEGUARD_RUN_AS: name a user other than root")
    return user
