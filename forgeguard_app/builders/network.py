"""The network of a builder: it reaches the outside, nothing, or all that this machine reaches."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from forgeguard_app.builders.probing import once_it_works

PROBE_S = 10.0
_SBIN = f"{os.defpath}:/usr/sbin:/sbin"  # where `ip` lies for users that do not look there
_LINK_LOCAL = ("169.254.0.0/16", "fe80::/10")  # with 169.254.169.254, at which most clouds give out credentials
# Others: AWS over IPv6, Alibaba, Oracle's former one, and the host's agent of Azure. Each says so in its documentation.
_CREDENTIALS = ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")
# No port of ours leads into the namespace, none of it to our loopback, and the gateway is not this machine.
_PASTA = ("pasta", "--config-net", "-q", "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--no-map-gw", "--")
CLOSED = (
    "The builder has no network: that needs passt's pasta and iproute2's ip, which are not there or do not "
    "work for it. "
    "Install them, let every user open /dev/net/tun, or set BUILDER_NETWORK=host, with which it reaches "
    "loopback and this machine's own services too."
)
SHARED = "The builder shares this machine's network: keeping it apart needs bubblewrap and namespaces for users."


class Network(StrEnum):
    """The reach of a builder's network; `outside` is neither loopback nor link-local addresses nor those of this
    machine.
    """

    OUTSIDE = "outside"
    NONE = "none"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Wall:
    """Keeps a builder to its network: `prefix` goes before the command that makes the namespaces.

    `unshares` says that it has a network of its own without a way out; `note` is for the builder's log, '' for none.
    """

    prefix: tuple[str, ...] = ()
    unshares: bool = False
    note: str = ""


def wall_for(network: Network, uid: int | None, *, in_namespaces: bool) -> Wall:
    """Return how a builder of that user is kept to `network`, with `uid` None for our own user."""
    if network is Network.HOST:
        return Wall()
    if not in_namespaces:
        return Wall(note=SHARED)
    if network is Network.NONE:
        return Wall(unshares=True)
    return Wall(prefix=outside()) if can_reach_outside(uid) else Wall(unshares=True, note=CLOSED)


def outside() -> tuple[str, ...]:
    """Return the command before a command that reaches the outside alone.

    pasta's namespace of processes needs its own /proc, or bubblewrap cannot give the builder its number in there.
    """
    steps = f'mount -t proc proc /proc && {_barred(own_addresses())} && exec "$@"'
    return (*_PASTA, "unshare", "-m", "sh", "-c", steps, "sh")


def own_addresses() -> list[str]:
    """Return the addresses of this machine, those of loopback left out."""
    found: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    lines = _lines("/proc/net/fib_trie")
    for line, following in itertools.pairwise(lines):
        if "/32 host LOCAL" in following:
            found.add(ipaddress.IPv4Address(line.split()[-1]))
    found |= {ipaddress.IPv6Address(bytes.fromhex(line.split()[0])) for line in _lines("/proc/net/if_inet6")}
    return sorted(str(address) for address in found if not address.is_loopback)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(1 << 20).splitlines()
    except OSError:
        return []


def _barred(addresses: Iterable[str]) -> str:
    """Return the shell's words that make addresses unreachable, and fail where one stays reachable."""
    tool = shlex.quote(shutil.which("ip", path=_SBIN) or "ip")
    networks = [ipaddress.ip_network(address) for address in (*_LINK_LOCAL, *_CREDENTIALS, *addresses)]
    four = [f"{tool} route add unreachable {network}" for network in networks if network.version == 4]
    six = [f"{tool} -6 route add unreachable {network}" for network in networks if network.version == 6]
    without = '[ "$(cat /proc/sys/net/ipv6/conf/all/disable_ipv6 2>/dev/null || echo 1)" = 1 ]'
    return " && ".join([*four, f"{{ {without} || {{ {' && '.join(six)}; }}; }}"])


@once_it_works
def can_reach_outside(uid: int | None) -> bool:
    """Return whether a builder of that user can be let outside alone; never as root."""
    if uid is None and os.geteuid() == 0:
        return False
    if shutil.which("pasta") is None or shutil.which("ip", path=_SBIN) is None:
        return False
    return _works([*outside(), "true"], uid)


def _works(command: Sequence[str], uid: int | None) -> bool:
    """Return whether the command ends well. What it leaves behind is ended: pasta has a process of its own."""
    groups: list[int] | None = None if uid is None else []
    try:
        process = subprocess.Popen(
            command,
            user=uid,
            group=uid,
            extra_groups=groups,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return process.wait(PROBE_S) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
