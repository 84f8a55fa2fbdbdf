"""The languages whose imports are read, one record each."""

from __future__ import annotations

from forgeguard_app.audit.languages.language import Language
from forgeguard_app.audit.languages.python import PYTHON

LANGUAGES: tuple[Language, ...] = (PYTHON,)
SUFFIXES = tuple(suffix for language in LANGUAGES for suffix in language.suffixes)
UNREAD_SUFFIXES = tuple(suffix for language in LANGUAGES for suffix in language.unread_suffixes)
_ALONE = {language.name: frozenset((language,)) for language in LANGUAGES}


def language_of(path: str) -> Language | None:
    """Return the language of the file, by its name; None where its imports are not read."""
    for language in LANGUAGES:
        if path.endswith(language.suffixes):
            return language
    return None


def languages_reading(path: str) -> frozenset[Language]:
    """Return the languages whose facts of the file are needed."""
    language = language_of(path)
    return frozenset() if language is None else _ALONE[language.name]


def name_languages() -> str:
    """Return the names of the languages for a sentence."""
    return ", ".join(language.name for language in LANGUAGES)
