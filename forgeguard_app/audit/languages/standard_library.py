"""Which modules belong to Python itself."""

from __future__ import annotations

import sys

# What some Python from 3.8 on had in its standard library and another has not, beside what only type checkers know.
_ONCE_STANDARD = """
asynchat asyncore aifc audioop binhex cgi cgitb chunk crypt distutils formatter imghdr imp lib2to3 macpath mailcap
msilib nis nntplib ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu xdrlib _bootlocale
dummy_threading compression annotationlib string.templatelib concurrent.interpreters _typeshed __main__ __future__
_testcapi test
"""
STANDARD_LIBRARY = frozenset(sys.stdlib_module_names) | frozenset(_ONCE_STANDARD.split())


def is_standard(module: str) -> bool:
    """Return whether the module belongs to the standard library of a Python from 3.8 on."""
    return module.partition(".")[0] in STANDARD_LIBRARY
