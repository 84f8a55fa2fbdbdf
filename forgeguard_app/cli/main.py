"""The `forgeguard` command: one verb a module."""

from __future__ import annotations

import argparse
import errno
import importlib
import sys
from types import ModuleType

from forgeguard_app import __version__
from forgeguard_app.errors import UserError

# Verb → what it does; its module has the verb's name, with _ for -, and gives add_arguments and run.
VERBS = {
    "demo": "the whole product on this machine, against a simulated GitHub",
    "serve": "the web server, with workers beside it",
    "worker": "one worker",
    "migrate": "bring the database to the current schema",
    "doctor": "report what is configured, what is reachable, and how to fix what is not",
    "rotate-key": "seal everything stored again under the first SECRET_KEY, so that older keys can be dropped",
    "redeliver": "ask GitHub again for the webhook deliveries that we never got",
    "init": "write a first configuration that is true of the tree as it is",
    "audit": "the same audit on a local git repository",
}
# Exit statuses, where the verb's module does not list them.
STATUSES = {
    "demo": "exit status: 0 the check runs arrived, 1 they did not, 2 incorrect usage, 130 stopped before they "
    "could arrive",
    "serve": "exit status: 0 when it was told to stop, 2 wrong settings or no database",
    "worker": "exit status: 0 when it was told to stop, 2 wrong settings, no database or no App",
    "migrate": "exit status: 0 the schema is current, 2 wrong settings or no database",
    "doctor": "exit status: 0 all is well, 1 something is not, 2 wrong settings",
    "rotate-key": "exit status: 0 everything is sealed under the first key, 1 no key opens some of it, 2 wrong "
    "settings or no database",
    "redeliver": "exit status: 0 GitHub was asked, 2 it could not be asked, or incorrect usage",
    "init": "exit status: 0 the files are written or were there already, 2 they could not be written",
}

# What a machine says that has no more to give: files, processes, memory, space.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(argv: list[str] | None = None) -> int:
    """Run a verb and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="forgeguard", description="Audits every push: boundaries, dependencies, secrets."
    )
    parser.add_argument("--version", action="version", version=f"forgeguard {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    arguments = sys.argv[1:] if argv is None else argv
    files: list[str] = []
    subs: dict[str, argparse.ArgumentParser] = {}
    for verb, does in VERBS.items():
        sub = subs[verb] = verbs.add_parser(
            verb, help=does, description=f"{does[0].upper()}{does[1:]}.", allow_abbrev=False, epilog=STATUSES.get(verb)
        )
        # A verb is imported when it is meant: `audit` need not load the server.
        if verb in arguments[:1]:
            module = _module(verb)
            module.add_arguments(sub)
            if getattr(module, "TAKES_FILES", False) and "--" in arguments:
                at = arguments.index("--")
                arguments, files = arguments[:at], arguments[at + 1 :]
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        subs[parsed.verb].error(f"unknown argument: {' '.join(unknown)} (forgeguard {parsed.verb} --help lists them)")
    parsed.files = files
    try:
        status: int = _module(parsed.verb).run(parsed)
    except UserError as error:
        print(f"forgeguard {parsed.verb}: {_shown(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.filename is None and error.errno not in _EXHAUSTED:
            raise
        message = (
            f"{str(error.filename)[:200]} cannot be used" if error.filename is not None else "the machine refuses more"
        )
        print(f"forgeguard {parsed.verb}: {_shown(message)}: {error.strerror}", file=sys.stderr)
        return 2
    return status


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"forgeguard_app.cli.{verb.replace('-', '_')}")


def _shown(text: str) -> str:
    """Return an error's text as it may be printed: what it repeats of arguments, remotes and files is masked."""
    from forgeguard_app.audit.masked_text import shown_lines  # noqa: PLC0415  (--version and --help load nothing)

    return shown_lines(text)


if __name__ == "__main__":
    sys.exit(main())
