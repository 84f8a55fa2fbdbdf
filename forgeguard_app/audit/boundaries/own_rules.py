"""Explains a repository's own rules, by the names that findings carry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from forgeguard_app.audit.boundaries.parse import Boundaries, Layer


def own_rules(files: Iterable[Boundaries]) -> dict[str, str]:
    """Return each rule of the files by name, with its reason in the file's words."""
    return {name: text for file in files for name, text in _of_file(file)}


def _of_file(file: Boundaries) -> Iterator[tuple[str, str]]:
    for layer in file.layers:
        for name, text in _of_layer(layer):
            yield name, f"{text}\nIt is a rule of {file.path}, for {_covered(layer)}."
    ranks = [name for group in file.order for name in group]
    for group in file.order:
        for name in group:
            upper = [other for other in ranks[: ranks.index(group[0])]]
            for other in (*upper, *(peer for peer in group if peer != name)):
                yield f"{name}/order/{other}", _order(name, other, other in group, file.path)
    if file.exhaustive:
        yield "exhaustive", f"Every module of a layered package must have a layer.\nIt is a rule of {file.path}."


def _of_layer(layer: Layer) -> Iterator[tuple[str, str]]:
    for pattern in layer.forbidden:
        sentence = (
            f"Layer {layer.name!r} must not contain text that matches `{pattern.pattern}`{_because(pattern.reason)}"
        )
        yield f"{layer.name}/forbidden/{pattern.pattern}", sentence
    for rule in layer.forbidden_imports:
        sentence = f"Layer {layer.name!r} must not import {rule.module!r}{_because(rule.reason)}"
        yield f"{layer.name}/forbidden_imports/{rule.module}", sentence
    if layer.may_import is not None:
        allowed = ", ".join(repr(name) for name in layer.may_import) or "no other layer"
        yield f"{layer.name}/may_import", f"Layer {layer.name!r} may import {allowed}."


def _order(name: str, other: str, beside: bool, path: str) -> str:
    why = "stands beside" if beside else "lies below"
    return f"Layer {name!r} {why} {other!r} in the order, and must not import it.\nIt is a rule of {path}."


def _because(reason: str) -> str:
    return f": {reason.rstrip('.')}." if reason else ". The file gives no reason."


def _covered(layer: Layer) -> str:
    described = f" ({layer.description.rstrip('.')})" if layer.description else ""
    return f"files of {', '.join(layer.globs)}{described}"
