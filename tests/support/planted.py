"""Secrets of many kinds for tests that plant them, and the search for what is left of them in an output."""

from __future__ import annotations

import base64
import random
import string

_WORD = string.ascii_letters + string.digits
_BASE32 = string.ascii_uppercase + "234567"
LEFT_CHARS = 8  # as many characters in a row give a secret away


def drawn(source: random.Random, alphabet: str, number: int) -> str:
    """As many random characters."""
    return "".join(source.choice(alphabet) for _ in range(number))


def plant(source: random.Random) -> str:
    """A value as a provider or a password manager makes it."""
    match source.randrange(7):
        case 0:
            return "gh" + "p_" + drawn(source, _WORD, 36)
        case 1:
            return "AK" + "IA" + drawn(source, _BASE32, 16)
        case 2:
            return "sk_" + "live_" + drawn(source, _WORD, 24)
        case 3:
            return "xox" + "b-" + f"{source.randrange(10**11, 10**12)}-{drawn(source, _WORD, 24)}"
        case 4:
            return base64.urlsafe_b64encode(source.randbytes(30)).decode()
        case 5:
            return drawn(source, string.hexdigits[:16], 40)
        case _:
            return drawn(source, _WORD, source.randrange(28, 44))


def remains(secret: str, output: str) -> list[str]:
    """The parts of the secret that stand in the output; a provider's fixed prefix is none."""
    secret = secret.removeprefix("sk_" + "live_").removeprefix("xox" + "b-")
    parts = (secret[at : at + LEFT_CHARS] for at in range(len(secret) - LEFT_CHARS + 1))
    return [part for part in parts if part in output]


LAYERS = {"name": "app", "glob": "app/**"}


# Where a value can stand: file and text, `{v}` is the value.
PLACES: list[tuple[str, str]] = [
    (".github/forgeguard.yml", "{v}: 1\n"),
    (".github/forgeguard.yml", "gate: {v}\n"),
    (".github/forgeguard.yml", "checks: {{{v}: 1}}\n"),
    (".github/forgeguard.yml", "checks:\n  W1: {{level: {v}}}\n"),
    (".github/forgeguard.yml", "checks:\n  A4: {{boundaries: [{v}]}}\n"),
    (".github/forgeguard.yml", "checks:\n  A9: {{provides: {{{v}: 3, ok: '{v}'}}, ignore_modules: ['{v}']}}\n"),
    (".github/forgeguard.yml", "checks:\n  A9: {{manifests: ['{v}/**', '/{v}']}}\n"),
    (".github/forgeguard.yml", "ignore: ['{v}/**', '{v}\\x']\n"),
    (".github/forgeguard.yml", "notify: https://x:{v}@h.corp/\n"),
    (".github/forgeguard.yml", "a: [\n  {v}: }}\n"),
    (".github/forgeguard.yml", "&{v} a: *{v}\n"),
    (".github/forgeguard.yml", "!{v} a\n"),
    ("boundaries.json", '{{"layers": [], "{v}": 1}}'),
    ("boundaries.json", '{{"layers": [{{"name": "{v}", "glob": "{v}/*", "may_import": ["{v}x"]}}], "order": '
                        '["{v}y"]}}'),
    ("boundaries.json", '{{"layers": [{{"name": "{v}", "glob": "app/**", "{v}": 1, "description": "{v}"}}]}}'),
    ("boundaries.json", '{{"layers": [{{"name": "a", "glob": "app/**", "forbidden": [{{"pattern": "{v}(", '
                        '"reason": "{v}"}}]}}]}}'),
    ("boundaries.json", '{{"layers": [{{"name": "a", "glob": "app/**", "forbidden": [{{"pattern": "{v}", "reason": '
                        '"{v}"}}]}}]}}'),
    ("boundaries.json", '{{"layers": [{{"name": "{v}", "glob": "app/**", "forbidden": [{{"pattern": '
                        '"import"}}]}}], "exhaustive": true}}'),
    ("boundaries.json", '{{"layers": [{{"name": "a", "glob": "app/**", "forbidden_imports": [{{"module": '
                        '"{v}!"}}]}}]}}'),
    ("boundaries.json", '{{"layers": [], "known_violations": [{{"layer": "{v}", "file": "{v}", "pattern": "{v}", '
                        '"{v}": 1}}]}}'),
    ("boundaries.json", '{{"{v}" 1}}'),
    ("boundaries.json", '{{"layers": [{v}'),
    ("requirements.txt", "pip install --extra-index-url https://ci:{v}@pypi.corp/simple foo\n"),
    ("requirements.txt", "requests\nPYPI_TOKEN={v}\n--index https://x:{v}@h.corp/simple\n"),
    ("requirements.txt", "foo@ https://x:{v}@pypi.corp/foo bar.whl\n{v} ===\n-r https://x:{v}@h/r.txt\n-r {v}.txt\n"),
    ("requirements.txt", "{v}\n"),
    ("pyproject.toml", '[project]\nname="x"\ndependencies=["foo @ git+https://x:{v}@h/a.git", "!! {v}"]\n'),
    ("pyproject.toml", '[project.optional-dependencies]\n"{v}" = ["!! {v}", 3]\n[dependency-groups]\n"{v}" = 3\n'),
    ("pyproject.toml", "[project]\nname = '{v}'\n{v} = {v}\n"),
    ("pyproject.toml", "[{v}]\n[{v}]\n"),
    ("pyproject.toml", "[tool.poetry]\nname='x'\n[tool.poetry.dependencies]\nfoo = {{git = "
                       "'https://x:{v}@h/a.git', bad = 3}}\n'{v}' = 1\n"),
    ("setup.cfg", "[options]\ninstall_requires =\n    foo @ https://x:{v}@h/a b\n    {v} {v}\n"),
    ("setup.cfg", "{v}\n"),
    ("setup.py", "from setuptools import setup\nsetup(name='{v}', install_requires=['foo @ https://x:{v}@h/a b', "
                 "'{v}'])\n"),
    ("Pipfile", "[[source]]\nurl='https://x:{v}@h'\n[packages]\nfoo = 'git+https://x:{v}@h'\n{v} = '*'\n"),
    ("tox.ini", "[testenv]\ndeps = {v} {v}\n    -r{v}\n"),
    (".gitleaks.toml", "[allowlist]\nregexes=['''{v}(?!x)''']\n{v} = 1\n"),
    (".gitleaks.toml", "[allowlist]\nregexes=['{v}'\n x= {v}\n"),
    (".gitleaks.toml", "{v} = 3\n[allowlist]\npaths = '{v}'\nregexTarget = '{v}'\n[[rules]]\nid = '{v}'\n"),
    (".gitleaks.toml", "[extend]\npath = '{v}'\ndisabledRules = ['{v}']\n[[allowlists]]\ntargetRules = "
                       "['{v}']\nstopwords=['{v}']\n"),
    (".gitleaksignore", "{v}:{v}\n{v}\n{v}:{v}:{v}:1\n"),
    ("app/x.py", 'password = "{v}"\nimport {w}\n'),
    ("app/x.py", 'url = "postgresql://app:{v}@db.internal/app"\nimport unknown_{w}\n'),
    ("app/x.py", 'k = """-----BEGIN RSA PRIVATE' + ' KEY-----\n{v}{v}\n"""\nfrom {w} import {w}\n'),
    ("app/{v}.py", "import requests, yaml\n"),
    ("app/token={v}/x.py", "import requests\n"),
]  # fmt: skip
