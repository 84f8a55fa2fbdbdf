"""Modules with strings of every form between their imports, f-strings of Python 3.12 and later among them."""

from __future__ import annotations

from random import Random

_QUOTES = ('"', "'", '"""', "'''")
_WORDS = ("import no", "x", "\nimport no\n", "#", " ; ", "from no import y", "é", "'", '"', "''", '""', ":", "!r", "\f")
_ESCAPES = ("\\n", '\\"', "\\'", "\\\\", "\\\n", "\\ ")


def module(random: Random) -> tuple[str, list[str]]:
    """Return a source and the modules that it imports, in order."""
    lines, modules = [], []
    for number in range(random.randrange(1, 5)):
        if random.random() < 0.8:
            text = f_string(random, 3) if random.random() < 0.7 else _plain(random)
            lines.append(
                random.choice((f"x = {text}", f"if {text}: pass", f"x = [{text},\n  1]  # '''", f"{text}; y = 1"))
            )
        modules.append(f"m{number}")
        lines.append(_imported(random, f"m{number}"))
    return random.choice(("\n", "\n\n", "\r\n", "\n\f\n", "\n# \"'''\n")).join(lines) + "\n", modules


def _imported(random: Random, name: str) -> str:
    return random.choice(
        (
            f"import {name}",
            f"from {name} import (a,  # )\n  b)",
            f"if x:import {name}",
            f"y = 1;from {name} import a as b, \\\n c",
            f"from \\\n {name} \\\n import(a)",
            f"try:\n\timport {name} as z;pass\nfinally:0",
            f"import\\\n {name}",
        )
    )


def f_string(random: Random, depth: int) -> str:
    """Return an f-string with fields in it, as deep in one another as `depth`."""
    prefix = random.choice(("f", "F", "rf", "fR", "Rf"))
    return _f_string(random, prefix, random.choice(_QUOTES), depth)


def _f_string(random: Random, prefix: str, quote: str, depth: int) -> str:
    parts = []
    for _ in range(random.randrange(4)):
        chosen = random.random()
        if chosen < 0.5:
            parts.append(_field(random, quote, depth))
        elif chosen < 0.6:
            parts.append(random.choice(("{{", "}}")))
        else:
            parts.append(_text(random, quote, raw="r" in prefix.lower()))
    return f"{prefix}{quote}{''.join(parts)}{quote}"


def _text(random: Random, quote: str, *, raw: bool) -> str:
    chosen: str = random.choice((*_WORDS, *_ESCAPES, *(() if raw else ("\\N{DIGIT ONE}",))))
    if chosen[0] != "\\" and (quote[0] in chosen or (len(quote) == 1 and "\n" in chosen)):
        return " "
    return chosen


def _field(random: Random, quote: str, depth: int) -> str:
    expression = _expression(random, depth - 1)
    shown = random.choice(("", "", "=", "!r", " !s"))
    return f"{{{expression}{shown}{_specification(random, quote, depth)}}}"


def _specification(random: Random, quote: str, depth: int) -> str:
    if random.random() < 0.6:
        return ""
    other = "'" if quote[0] == '"' else '"'
    nested = f"{{{_expression(random, depth - 1)}}}" if depth > 1 else ""
    return ":" + random.choice(("", ">10", f"{other}^3", "#x", "=+", other * 3)) + random.choice(("", nested))


def _expression(random: Random, depth: int) -> str:
    inner = f_string(random, depth) if depth > 0 and random.random() < 0.5 else _plain(random)
    return random.choice(
        (
            "x",
            inner,
            f"x[{inner}]",
            f"(lambda a: {inner})",
            f" {{{inner}: 1}}[{inner}]",
            f"x[1:{inner}]",
            f"(x, # import no '\"}}\n {inner})",
            f"\n{inner}\n",
            f"x != {inner}",
            f"(y := {inner})",
            f"x if {inner} else\\\n y",
        )
    )


def _plain(random: Random) -> str:
    prefix, quote = random.choice(("", "", "r", "b", "Rb", "u")), random.choice(_QUOTES)
    words = [random.choice((*_WORDS, *_ESCAPES, "{", "}", "}}")) for _ in range(random.randrange(3))]
    kept = [word for word in words if word[0] == "\\" or not (quote[0] in word or (len(quote) == 1 and "\n" in word))]
    return prefix + quote + "".join(kept).replace("é", "e" if "b" in prefix else "é") + quote
