"""No secret leaves the engine, wherever in a repository it was planted."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from forgeguard_app.audit.described import describe
from forgeguard_app.audit.excerpts import excerpt_of
from forgeguard_app.audit.masked_text import MAX_SHOWN_CHARS, shown, shown_lines
from forgeguard_app.audit.model import CheckCode, Result
from forgeguard_app.audit.report import detail, summary_markdown
from forgeguard_app.cli.formats import FORMATS
from forgeguard_app.cli.outcome import CommandOutcome
from tests.support.in_memory import evaluate_in_memory
from tests.support.planted import LAYERS, PLACES, plant, remains


def _boundaries(**keys: object) -> str:
    return json.dumps({"layers": [LAYERS], **keys})


def _layer(**keys: object) -> str:
    return json.dumps({"layers": [{**LAYERS, **keys}]})


RULES = {
    "boundaries.json": json.dumps(
        {
            "layers": [
                {
                    **LAYERS,
                    "forbidden": [
                        {"pattern": '(?i)(password|token|url|k)\\s*=\\s*"[^"]+"', "reason": "no values in code"},
                        {"pattern": "[A-Za-z0-9_]{16,}", "reason": "no long words"},
                        {"pattern": "(?s)BEGIN.*", "reason": "no keys"},
                    ],
                },
                {"name": "empty", "glob": "nowhere/**"},
            ],
            "exhaustive": True,
        }
    ),
    "requirements.txt": "requests\n",
    "app/__init__.py": "",
    "app/y.py": "import yaml, requests\nfrom app import x\n",
}


def outputs(files: dict[str, str]) -> str:
    """Everything that the engine gives for these files."""
    report, config = evaluate_in_memory(files)
    found = [write(CommandOutcome(report)) for write in FORMATS.values()]
    for check in report.checks:
        found += [check.title, summary_markdown(check), detail(check)]
        for finding in check.findings:
            data = files.get(finding.path, "").encode()
            excerpt = excerpt_of(finding.path, data, finding.line, finding.end_line)
            found.append(excerpt.text if excerpt and check.code is not CheckCode.W1 else "")
    found.append(json.dumps(describe(config)))
    return "\n".join(found)


@pytest.mark.nightly
@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.sampled_from(PLACES), st.integers(0, 2**32))
def test_a_secret_planted_anywhere_is_in_no_output_of_the_engine(place: tuple[str, str], seed: int) -> None:
    value = plant(random.Random(seed))
    assume("{v}" not in place[0] or not set(value) <= set("0123456789abcdef"))  # many paths hold digests of contents
    word = "".join(char if char.isalnum() else "_" for char in f"m{value}")
    path, text = (part.format(v=value, w=word) for part in place)
    output = outputs({**RULES, path: text})
    assert not remains(value, output), [line for line in output.splitlines() if remains(value, line)][:3]


def test_a_pattern_that_matches_a_password_quotes_none_of_it() -> None:
    for text in ('password = "hunter2"', "api_key = 'short-one'", "Passwort: geheim", "pw=abc"):
        rule = {"pattern": "(?i)(pass|api|pw).*", "reason": "no passwords in code"}
        report, _ = evaluate_in_memory({"boundaries.json": _layer(forbidden=[rule]), "app/x.py": f"# {text}\n"})
        (finding,) = report.checks[0].findings
        assert text.partition("=")[2].strip(" '\"") not in finding.message or "=" not in text
        assert "geheim" not in finding.message
        assert "no passwords in code" in finding.message


def test_an_error_is_masked_before_it_is_cut() -> None:
    value = "gh" + "p_" + "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
    for before in range(MAX_SHOWN_CHARS - 45, MAX_SHOWN_CHARS):
        assert not remains(value, shown("." * before + value))
    assert shown_lines(f"a\n{value}\x1b") == "a\n[masked]\\x1b"
    assert shown(f"a\n{value}\x1b") == "a\\n[masked]\\x1b"


def test_names_of_people_s_own_stay_readable_in_messages() -> None:
    report, _ = evaluate_in_memory(
        {
            "boundaries.json": _layer(name="routers", forbidden_imports=[{"module": "asyncpg", "reason": "repos"}]),
            "app/users.py": "import asyncpg\n",
        }
    )
    assert report.checks[0].findings[0].message == "Layer 'routers' must not import 'asyncpg': repos"
    report, _ = evaluate_in_memory({"boundaries.json": _boundaries(layer=[])})
    assert report.checks[0].result is Result.ERROR
    assert "unknown key 'layer' in boundaries.json; did you mean 'layers'?" in report.checks[0].problems[0].message
