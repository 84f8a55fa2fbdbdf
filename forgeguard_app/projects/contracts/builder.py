"""Renders the builder's contracts: the rules for every step, and the task."""

from __future__ import annotations

from forgeguard_app.projects.answers import Answers
from forgeguard_app.projects.contracts.words import bullets, document, package_of, section, sentence


def builder_contract(name: str, answers: Answers) -> str:
    """Render the rules that a builder is held to."""
    layers = answers.rows("boundaries.layers")
    top_down = " › ".join(f"`{row['name']}`" for row in layers)
    settings = answers.items("deployment.environment")
    return document(
        f"{name}: builder contract",
        "This holds for every phase and every builder. Work that breaks it is returned with its findings, "
        "three times in a row at most.\n",
        section(
            "Before anything is written",
            bullets(
                [
                    "The contracts in `Forge/Contracts` are read, `schema.md` before anything that stores, "
                    "`physics.yaml` before anything that answers",
                    "The contracts are not changed by a builder: what they lack is said in the output, and "
                    "somebody decides",
                ]
            ),
        ),
        section(
            "Boundaries",
            f"From the top: {top_down}. Imports go downward alone. `boundaries.json` is what decides, and it "
            f"is evaluated from the project, not from the branch: editing it changes nothing.",
        ),
        section(
            "Dependencies",
            "Whatever is imported is declared in the manifest in the same step, and nothing is declared that "
            "is not used.",
        ),
        section(
            "Secrets",
            "No credential is written into any file, not as an example either. "
            + (
                f"Settings come from the environment: {', '.join(f'`{setting}`' for setting in settings)}."
                if settings
                else "Settings come from the environment."
            ),
        ),
        section(
            "Tests",
            "A step that does something brings the test that would fail without it. No test is skipped, "
            "weakened or deleted to pass.",
        ),
        section(
            "Commits",
            "A builder leaves files. Committing, pushing and opening the pull request is ForgeGuard's; "
            "commits of a builder's own are not taken over, their files are.",
        ),
        section("What is never traded away", bullets(answers.items("intent.principles"))),
    )


def builder_directive(name: str, answers: Answers) -> str:
    """Render the task that a builder is given."""
    package = package_of(name)
    return document(
        f"{name}: builder directive",
        f"You build {name}. {sentence(answers.text('intent.summary'))}\n",
        section(
            "How you work",
            bullets(
                [
                    "You are given one phase at a time: its objective, its deliverables, its exit criteria",
                    "You do that phase and nothing of a later one, in the layers that the blueprint names"
                    + (f", under `{package}/`" if answers.text("stack.kind").startswith("python") else ""),
                    "You run the tests before you say that you are done",
                    "When findings come back, you fix their cause, not their wording",
                ]
            ),
        ),
        section("What you leave out", bullets(answers.items("intent.non_goals"))),
        section(
            "When you are in doubt",
            "The manifesto says which of two good things wins. Where no contract answers, you choose what is "
            "easiest to change later, and say so in your output.",
        ),
    )
