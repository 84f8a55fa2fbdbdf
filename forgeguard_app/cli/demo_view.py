"""Check runs in the terminal, as GitHub shows them."""

from __future__ import annotations

from typing import Any

from rich.console import Console, Group
from rich.markdown import Markdown
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_MARKS = {
    "success": ("✓", "green"),
    "failure": ("✗", "red"),
    "neutral": ("■", "yellow"),
    "skipped": ("⊘", "dim"),
    "action_required": ("!", "bold red"),
    None: ("●", "yellow"),
}
_LEVELS = {"failure": "red", "warning": "yellow", "notice": "blue"}
MAX_ANNOTATIONS = 20


def show_runs(
    console: Console,
    heading: str,
    runs: list[dict[str, Any]],
    annotations: dict[int, list[dict[str, Any]]],
    took: float,
) -> None:
    """Print the check runs of one head, each with its summary and annotations."""
    console.print()
    console.rule(Text(heading, style="bold"), align="left")
    for run in runs:
        console.print(_panel(run, annotations.get(run["id"], [])))
    console.print(Text(f"{len(runs)} check runs, {took * 1000:.0f} ms after the push", style="dim"))


def _panel(run: dict[str, Any], annotations: list[dict[str, Any]]) -> Panel:
    mark, style = _MARKS.get(run["conclusion"], ("?", "red"))
    output = run["output"]
    parts: list[Any] = [Text(output["title"] or "", style="bold")]
    summary = output["summary"] or ""
    if summary and summary != output["title"]:
        parts.append(Markdown(summary))
    if annotations:
        parts.append(_table(annotations))
    title = Text.assemble((f"{mark} ", style), run["name"], (f"  {run['conclusion'] or run['status']}", style))
    return Panel(Group(*parts), title=title, title_align="left", border_style=style)


def _table(annotations: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False, expand=True)
    table.add_column(no_wrap=False, overflow="fold", ratio=2)
    table.add_column(ratio=5)
    for annotation in annotations[:MAX_ANNOTATIONS]:
        style = _LEVELS.get(annotation["annotation_level"], "")
        place = Text(f"{annotation['path']}:{annotation['start_line']}", style=style)
        table.add_row(place, Text(f"{annotation['message']}"))
    if len(annotations) > MAX_ANNOTATIONS:
        table.add_row("", Text(f"and {len(annotations) - MAX_ANNOTATIONS} more annotations", style="dim"))
    return table
