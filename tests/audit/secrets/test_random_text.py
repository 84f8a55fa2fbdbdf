"""Names stay readable, random values do not: the measure for text that stands alone."""

from __future__ import annotations

import random
import string
import tokenize
from pathlib import Path

import pytest

import forgeguard_app
from forgeguard_app.audit.secrets.masking import masked, quoted
from forgeguard_app.audit.secrets.random_text import random_spans
from tests.support.planted import drawn, plant, remains

NAMES = """
routers asyncpg layers forgeguard_app/audit/secrets/masking.py getElementByIdAndName2 TestHTTPServerV2Handler ubuntu-22.04-lts
python3.11-slim-bookworm x86_64-linux-gnu cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl java-17-openjdk-amd64
app/alembic/versions/8f3a9b2c1d4e_add_users.py 2024-01-02T12:00:00Z us-east-1 node_modules/@types/node-fetch/index.d.ts
3f2504e0-4f89-11d3-9a0c-0305e82c3301 forgeguard/build-3f2504e0-4f89-11d3-9a0c-0305e82c3301 com.example.android.apps.MyApp
src/main/java/org/springframework/boot/SpringApplicationBuilderTests.java google-cloud-secret-manager v1alpha1beta2
opentelemetry-instrumentation-aiohttp-client django-rest-framework-simplejwt [A-Za-z0-9_]{20,} \\bSELECT\\b.*\\bFROM\\b
ghp_[A-Za-z0-9]{36} (?i)password\\s*=\\s*["'][^"']+ utf-8-sig iso-8859-15 20240101123456_create_users.rb 0123456789abcdef
k8s-apps-v1beta1-deployment feature/JIRA-12345-use-oauth2-pkce 9ce4a22f01 internationalization_configuration_manager
Bundesausbildungsfoerderungsgesetz_v2 requirements-dev-py311.txt tests/fixtures/test_case_0001.json sha256:0123456789 p256dh
""".split()


@pytest.mark.parametrize("name", NAMES)
def test_an_ordinary_name_is_not_taken_for_a_random_value(name: str) -> None:
    assert masked(name) == name
    assert quoted(name) == repr(name)


def test_the_names_in_our_own_code_stay_readable() -> None:
    package = Path(forgeguard_app.__file__).parent
    paths = [str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()]
    words = {word for path in package.rglob("*.py") for word in _identifiers(path)}
    masked_ones = [name for name in (*paths, *words) if random_spans(name)]
    assert masked_ones == []


def _identifiers(path: Path) -> set[str]:
    with path.open("rb") as file:
        return {token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.NAME}


@pytest.mark.parametrize("seed", range(20))
def test_a_value_is_masked_whatever_stands_around_it(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(50):
        value = plant(source)
        for text in (value, f"unknown key '{value}' in a layer", f"a/{value}.txt", f"x={value};", f"'\\n{value}'"):
            assert not remains(value, masked(text)), masked(text)


def test_passwords_in_addresses_are_masked_even_where_they_are_words() -> None:
    assert masked("git+https://ci:" + "hunter2@pypi.corp/simple") == "git+https://ci:" + "[masked]@pypi.corp/simple"
    assert masked("https://deploy@host/x") == "https://[masked]@host/x"
    assert masked("ssh://git@github.com/a/b") == "ssh://git@github.com/a/b"


def test_a_commit_or_a_digest_stays_where_it_is_ours() -> None:
    digest = drawn(random.Random(1), string.hexdigits[:16], 40)
    for text in (f"evaluated {digest}", f"gh-readonly-queue/main/pr-1-{digest}"):
        assert masked(text, keep_hashes=True) == text
    assert digest not in masked(f"unknown key {digest}")


def test_a_long_text_is_masked_before_it_is_cut() -> None:
    value = plant(random.Random(7))
    assert not remains(value, quoted("a word and " * 6 + value))
