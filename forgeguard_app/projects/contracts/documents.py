"""The contracts that people read first: blueprint, manifesto, stack, ui."""

from __future__ import annotations

from forgeguard_app.audit.check_kinds import kind_with
from forgeguard_app.audit.check_settings import MANIFESTS
from forgeguard_app.projects.answers import Answers
from forgeguard_app.projects.contracts.words import bullets, document, section, sentence, table

_HANDS = {
    "container": "It is shipped as one container image, started with the settings below and nothing else.",
    "virtual machine": "It runs as a service of the operating system on a virtual machine, restarted when it ends.",
    "serverless": "It runs as functions that keep nothing between calls; whatever lasts is in the database.",
    "package index": "It is published as a package, and its users get everything that it needs with it.",
    "not decided": "Where it runs is not decided yet, so nothing in it may depend on one place.",
}


def blueprint(name: str, answers: Answers) -> str:
    """Render what is to be built, for whom, and how success is recognized."""
    layers = answers.rows("boundaries.layers")
    parts = "\n".join(f"- **{row['name']}** lives in `{row['glob']}`{_reaches(row)}" for row in layers)
    return document(
        f"{name}: blueprint",
        sentence(answers.text("intent.summary")) + "\n",
        section("Who uses it", bullets(answers.items("intent.users"))),
        section("What they can do with it", bullets(answers.items("intent.outcomes"))),
        section("What it is on purpose not", bullets(answers.items("intent.non_goals"))),
        section("Its parts, from the top", parts),
        section(
            "When it is done",
            "Every outcome above is shown by a test that a user would recognise, every phase of `phases.md` "
            "met its exit criteria, and the "
            "audit of the last commit passes.",
        ),
    )


def _reaches(row: dict[str, str]) -> str:
    allowed = row.get("may_import", "").strip()
    if allowed == "-":
        return " and imports no other part."
    return f" and may import {allowed}." if allowed else " and may import what stands below it."


def manifesto(name: str, answers: Answers) -> str:
    """Render the principles that are never traded away."""
    principles = answers.items("intent.principles") or [
        "What a user sees is right before it is fast, and fast before it is rich",
        "A boundary that is in the way is discussed and changed in the contract, never crossed in the code",
        "An error says what happened, where, and what to do about it",
    ]
    numbered = "\n".join(f"{number}. {sentence(principle)}" for number, principle in enumerate(principles, 1))
    return document(
        f"{name}: manifesto",
        "When two good things are at odds, the one that stands higher here wins.\n",
        section("Principles", numbered),
        section(
            "What follows",
            "This order holds for everybody who changes the code, people and programs. A change that breaks "
            "a principle is a change of this document first.",
        ),
    )


def stack(name: str, answers: Answers) -> str:
    """Render the language and the libraries."""
    database = answers.text("stack.database")
    kept = {"postgresql": "PostgreSQL keeps what lasts.", "sqlite": "SQLite keeps what lasts, in one file."}.get(
        database, "Nothing is kept in a database."
    )
    libraries = answers.items("stack.dependencies")
    check = kind_with(MANIFESTS).code
    note = f"Nothing is imported that the manifest does not declare; {check} audits every push for that."
    target = answers.text("deployment.target")
    return document(
        f"{name}: stack",
        section("Language", sentence(answers.text("stack.language"))),
        section("Database", kept),
        section(
            "Libraries",
            (
                bullets(f"`{library}`" for library in libraries) + "\n\n"
                if libraries
                else "It needs no library beside the language's own.\n\n"
            )
            + note,
        ),
        section("Where it runs", _HANDS.get(target, "")),
        section("Settings", bullets(f"`{item}`" for item in answers.items("deployment.environment"))),
        section("What an operator watches", bullets(answers.items("deployment.operations"))),
    )


def ui(name: str, answers: Answers) -> str:
    """Render the user interface."""
    kind = answers.text("ui.kind")
    if kind in ("", "none"):
        return document(
            f"{name}: user interface",
            "It has no user interface: programs are its only users, and `physics.yaml` says what they may ask.\n",
        )
    screens = table(
        ("Screen", "What somebody does there"), ((row["screen"], row["purpose"]) for row in answers.rows("ui.screens"))
    )
    rules = answers.items("ui.rules") or [
        "Everything can be reached and used with the keyboard",
        "Empty, loading and error states are designed",
    ]
    form = "a command line" if kind == "command line" else kind
    return document(
        f"{name}: user interface",
        f"People use it through {form}.\n",
        section("Screens" if kind != "command line" else "Commands", screens),
        section("What holds everywhere", bullets(rules)),
    )
