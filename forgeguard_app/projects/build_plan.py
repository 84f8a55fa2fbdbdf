"""The phases contract, read into the plan that a build works through."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from forgeguard_app.audit.model import Problem

MAX_PHASES = 50
# For lines without the blanks at their ends; possessive, so that no blank of a run is tried as its end.
_HEADING = re.compile(r"##\s++Phase\s++(\d{1,4})\s*+(?:[:.–—-](.*))?\Z")
_OBJECTIVE = re.compile(r"\*\*Objective\.?\*\*[.:]?\s*(.*)")
_LISTS = {"deliverables": "deliverables", "exit criteria": "exit_criteria"}
_ITEM = re.compile(r"(?:[-*+]|\d++[.)])\s++(.*)\Z")


@dataclass(slots=True)
class Phase:
    """One step of a build: what for, what is to be there, and how one knows. `line` is where it stands, 1-based."""

    number: int
    name: str
    line: int
    objective: str = ""
    deliverables: list[str] = field(default_factory=list)
    exit_criteria: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Return the phase's title, as pages show it."""
        return f"Phase {self.number}: {self.name}" if self.name else f"Phase {self.number}"


def read_plan(text: str, path: str = "phases.md") -> tuple[list[Phase], tuple[Problem, ...]]:
    """Return the phases in their order, and each thing that is wrong with the text, with its place."""
    drafts: list[_PhaseDraft] = []
    problems: list[Problem] = []
    into = ""
    for number, line in enumerate(text.splitlines(), 1):
        heading = _HEADING.match(line.rstrip())
        if heading:
            drafts.append(_PhaseDraft(Phase(int(heading[1]), (heading[2] or "").strip(), number)))
            into = ""
        elif line.startswith("## "):
            into = "elsewhere"
        elif drafts and into != "elsewhere":
            into = _take(drafts[-1], line, into)
    phases = [draft.finish() for draft in drafts]
    if not phases:
        problems.append(
            Problem(path, 1, 1, "there is no phase: a phase begins with a heading such as '## Phase 0: Genesis'")
        )
    if len(phases) > MAX_PHASES:
        problems.append(
            Problem(
                path, phases[MAX_PHASES].line, 1, f"{len(phases)} phases; a build works through at most {MAX_PHASES}"
            )
        )
    for place, phase in enumerate(phases[: MAX_PHASES + 1]):
        problems += [Problem(path, phase.line, 1, message) for message in _wrong(phase, place)]
    return phases, tuple(problems)


@dataclass(slots=True)
class _PhaseDraft:
    """A phase that is being read: its texts are lists of their lines, which are joined once."""

    phase: Phase
    objective: list[str] = field(default_factory=list)
    lists: dict[str, list[list[str]]] = field(default_factory=lambda: {name: [] for name in _LISTS.values()})

    def finish(self) -> Phase:
        """Return the phase with its texts."""
        self.phase.objective = " ".join(self.objective).strip()
        self.phase.deliverables = [" ".join(lines) for lines in self.lists["deliverables"]]
        self.phase.exit_criteria = [" ".join(lines) for lines in self.lists["exit_criteria"]]
        return self.phase


def _take(draft: _PhaseDraft, line: str, into: str) -> str:
    text = line.strip()
    if line.startswith("###"):
        return _LISTS.get(line.lstrip("# ").strip().rstrip(":").lower(), "")
    if objective := _OBJECTIVE.match(text):
        draft.objective = [objective[1].strip()]
        return "objective"
    if into == "objective" and text:
        draft.objective.append(text)
    elif into in draft.lists and (item := _ITEM.match(text)):
        draft.lists[into].append([item[1]])
    elif into in draft.lists and line.startswith("  ") and text and draft.lists[into]:
        draft.lists[into][-1].append(text)
    return into


def _wrong(phase: Phase, place: int) -> list[str]:
    messages: list[str] = []
    if phase.number != place:
        messages.append(
            f"this is the phase number {place}, but it calls itself {phase.number}: phases are numbered from "
            f"0 without a gap"
        )
    if not phase.objective:
        messages.append(f"phase {phase.number} has no '**Objective.** …'")
    if not phase.deliverables:
        messages.append(f"phase {phase.number} has no list under '### Deliverables'")
    if not phase.exit_criteria:
        messages.append(f"phase {phase.number} has no list under '### Exit criteria'")
    return messages
